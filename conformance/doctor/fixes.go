package doctor

import (
	"net/url"
	"strings"
)

// Names of files and programs in fixes.
const (
	ownEnv = ".env of mcp-entra-server"
	nginx  = "nginx, the location of the server"
	caddy  = "Caddy, the site of the server"
	code   = "the code of the server, if it is not mcp-entra-server"
)

func serverFix(text string) Fix { return Fix{Place: ServerSetting, Where: ownEnv, Text: text} }

func codeFix(text string) Fix { return Fix{Place: ServerSetting, Where: code, Text: text} }

func nginxFix(lines ...string) Fix {
	return Fix{Place: ProxyLine, Where: nginx, Text: strings.Join(lines, "\n")}
}

func caddyFix(lines ...string) Fix {
	return Fix{Place: ProxyLine, Where: caddy, Text: strings.Join(lines, "\n")}
}

func clientFix(text string) Fix {
	return Fix{Place: ClientSetting, Where: "the URL of the server", Text: text}
}

// publicURL is the setting that makes every address of the server the right one.
func publicURL(endpoint *url.URL) Fix {
	return serverFix("MCP_PUBLIC_URL=" + clean(originOf(endpoint)))
}

// forwardHost are the lines with which a proxy passes on the host that clients use.
func forwardHost() []Fix {
	return []Fix{
		nginxFix(
			"proxy_set_header Host $http_host;",
			"proxy_set_header X-Forwarded-Host $http_host;",
			"proxy_set_header X-Forwarded-Proto $scheme;",
		),
		caddyFix("reverse_proxy localhost:8000 {", "\theader_up Host {hostport}", "}"),
	}
}

// wholePath are the lines with which a proxy passes on all paths unchanged.
func wholePath() []Fix {
	return []Fix{
		nginxFix("location / {", "\tproxy_pass http://localhost:8000;   # no path and no slash after the port",
			"\tproxy_set_header Host $http_host;", "}"),
		caddyFix("reverse_proxy localhost:8000   # outside handle_path and without rewrite"),
	}
}
