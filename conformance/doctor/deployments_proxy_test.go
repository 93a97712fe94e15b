package doctor_test

import "strings"

// nginxAt returns a fault in the good site of an nginx: a text that replaces another.
func nginxAt(name, old, changed, want string) deployment {
	return deployment{
		name:   "nginx-" + name,
		proxy:  "nginx",
		breaks: replaceInSite(old, changed),
		want:   strings.Fields(want),
		mend:   nginxLines(),
	}
}

// nginxWith is nginxAt for lines in the location of the server.
func nginxWith(name, lines, want string) deployment {
	return nginxAt(name, "proxy_http_version 1.1;", "proxy_http_version 1.1;\n\t"+lines, want)
}

// nginxBefore is nginxAt for a location before the one of the server.
func nginxBefore(name, block, want string) deployment {
	return nginxAt(name, "location / {", block+"\nlocation / {", want)
}

// inSession lets a person with a token walk through a deployment whose server keeps sessions.
func (d deployment) inSession() deployment {
	breaks := d.breaks
	d.breaks = func(w *world) {
		w.session()
		breaks(w)
	}
	return d
}

// asWarning says that the deployment works for most messages.
func (d deployment) asWarning() deployment {
	d.isWarning = true
	return d
}

// nginxDeployments are mistakes in an nginx.
func nginxDeployments() []deployment {
	const (
		pass = "proxy_pass http://UPSTREAM;"
		gzip = "gzip on;\n\tgzip_types *;\n\tgzip_proxied any;\n\tgzip_min_length 0;"
		page = "default_type text/html;\n\treturn 200 '<!doctype html><title>Welcome</title>';"
	)
	return []deployment{
		nginxAt("host", "proxy_set_header Host $http_host;", "", "host-refused"),
		nginxAt("path-stripped", "location / {\n\t"+pass, "location /mcp {\n\tproxy_pass http://UPSTREAM/;",
			"endpoint-refuses-post resource-metadata-missing"),
		nginxAt("path-doubled", pass, "proxy_pass http://UPSTREAM/mcp$request_uri;",
			"endpoint-not-found resource-metadata-missing"),
		nginxAt("location-too-narrow", "location / {", "location /mcp {", "resource-metadata-missing"),
		nginxAt("upstream-down", pass, "proxy_pass http://127.0.0.1:1;", "gateway-error resource-metadata-unreachable"),
		nginxAt("body-limit", "client_max_body_size 8m;", "client_max_body_size 1k;", "body-limit"),
		nginxAt("body-limit-low", "client_max_body_size 8m;", "", "body-limit-low").asWarning(),
		nginxWith("challenge-dropped", "proxy_hide_header WWW-Authenticate;", "challenge-missing"),
		nginxWith("authorization-dropped", `proxy_set_header Authorization "";`, "authorization-dropped"),
		nginxWith("login-page", "proxy_intercept_errors on;\n\terror_page 401 =302 https://login.example.com/;",
			"endpoint-redirects-elsewhere"),
		nginxWith("password", "auth_basic people;\n\tauth_basic_user_file /dev/null;",
			"challenge-not-bearer resource-metadata-protected"),
		nginxBefore("well-known-missing", "location /.well-known/ {\n\treturn 404;\n}", "resource-metadata-missing"),
		nginxBefore("well-known-page", "location /.well-known/ {\n\t"+page+"\n}", "resource-metadata-is-page"),
		nginxBefore("post-redirected", "location = /mcp {\n\treturn 301 /mcp/;\n}", "endpoint-redirects"),
		{
			name:   "nginx-http-in-metadata",
			proxy:  "nginx with TLS",
			breaks: plainPublicURL,
			want:   []string{"challenge-other-scheme", "resource-other-scheme"},
			mend:   settings(),
		},
		nginxAt("buffering", "proxy_buffering off;", "", "stream-held-back").inSession(),
		nginxAt("compressed", "proxy_buffering off;", gzip, "stream-held-back").inSession(),
		nginxWith("version-dropped", `proxy_set_header MCP-Protocol-Version "";`, "version-dropped").inSession(),
		nginxWith("session-dropped", "proxy_hide_header Mcp-Session-Id;", "session-header-dropped").inSession(),
		nginxWith("session-not-passed", `proxy_set_header Mcp-Session-Id "";`, "session-header-dropped").inSession(),
	}
}

// caddyAt returns a fault in a Caddy: its whole site.
func caddyAt(name, site, want string) deployment {
	return deployment{
		name:   "caddy-" + name,
		proxy:  "caddy",
		breaks: replaceInSite("reverse_proxy UPSTREAM", site),
		want:   strings.Fields(want),
		mend:   caddyLines(),
	}
}

// caddyWith is caddyAt for a line of reverse_proxy.
func caddyWith(name, line, want string) deployment {
	return caddyAt(name, "reverse_proxy UPSTREAM {\n\t"+line+"\n}", want)
}

// caddyDeployments are mistakes in a Caddy.
func caddyDeployments() []deployment {
	const pass = "\nreverse_proxy UPSTREAM"
	return []deployment{
		caddyWith("host", "header_up Host {upstream_hostport}", "host-refused"),
		caddyAt("path-stripped", "handle_path /mcp* {\n\treverse_proxy UPSTREAM\n}",
			"endpoint-refuses-post resource-metadata-malformed"),
		caddyAt("path-doubled", "rewrite * /mcp{uri}"+pass, "endpoint-not-found resource-metadata-missing"),
		caddyAt("body-limit", "request_body {\n\tmax_size 1KB\n}"+pass, "body-limit"),
		caddyWith("challenge-dropped", "header_down -WWW-Authenticate", "challenge-missing"),
		caddyWith("authorization-dropped", "header_up -Authorization", "authorization-dropped"),
		caddyAt("well-known-missing", "respond /.well-known/* 404"+pass, "resource-metadata-missing"),
		caddyAt("post-redirected", "redir /mcp /mcp/ 301"+pass, "endpoint-redirects"),
		{
			name:   "caddy-http-in-metadata",
			proxy:  "caddy with TLS",
			breaks: plainPublicURL,
			want:   []string{"challenge-other-scheme", "resource-other-scheme"},
			mend:   settings(),
		},
		caddyAt("compressed", "encode gzip {\n\tmatch {\n\t\theader Content-Type *\n\t}\n}"+pass,
			"stream-held-back").inSession(),
		caddyWith("version-dropped", "header_up -MCP-Protocol-Version", "version-dropped").inSession(),
		caddyWith("session-dropped", "header_down -Mcp-Session-Id", "session-header-dropped").inSession(),
	}
}

// replaceInSite returns a fault in the site of the proxy.
func replaceInSite(old, changed string) func(*world) {
	return func(w *world) {
		if !strings.Contains(w.site, old) {
			w.t.Fatalf("the site has no %q", old)
		}
		w.site = strings.ReplaceAll(w.site, old, changed)
	}
}

// plainPublicURL forgets that the proxy ends TLS.
func plainPublicURL(w *world) {
	w.set("MCP_PUBLIC_URL", strings.Replace(w.public, "https://", "http://", 1))
}
