package doctor_test

// goodSites are sites that a server works behind, by the kind of proxy. UPSTREAM is the address of
// the server.
var goodSites = map[string]string{
	"nginx": `location / {
	proxy_pass http://UPSTREAM;
	proxy_http_version 1.1;
	proxy_set_header Host $http_host;
	proxy_buffering off;
	client_max_body_size 8m;
}`,
	"caddy": `reverse_proxy UPSTREAM`,
}
