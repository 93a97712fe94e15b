package doctor

func fixRedirect(s *challenged) []Fix {
	target := s.first.location()
	if target == nil {
		return nil
	}
	fixes := []Fix{clientFix(clean(s.w.secrets.Shown(target.String())))}
	if target.Scheme == s.endpoint.Scheme {
		path := clean(s.endpoint.EscapedPath())
		fixes = append(fixes,
			nginxFix("location = "+path+" {",
				"\tproxy_pass http://localhost:8000;   # in place of return or rewrite",
				"\tproxy_set_header Host $http_host;", "}"),
			caddyFix("reverse_proxy localhost:8000   # without redir "+path))
	}
	return fixes
}

func fixLoginPage(s *challenged) []Fix {
	path := clean(s.endpoint.EscapedPath())
	return []Fix{
		nginxFix("location "+path+" {", "\tauth_request off;", "\tproxy_pass http://localhost:8000;",
			"\tproxy_set_header Host $http_host;", "}",
			"location /.well-known/ {", "\tauth_request off;", "\tproxy_pass http://localhost:8000;",
			"\tproxy_set_header Host $http_host;", "}"),
		{PortalPage, "Azure portal > App Service > Authentication",
			"Restrict access: Allow unauthenticated access (the MCP server checks tokens itself)"},
		{ProxyLine, "oauth2-proxy", "skip_auth_routes = [ \"^" + path + "\", \"^/.well-known/\" ]"},
	}
}

func fixPath(s *challenged) []Fix {
	fixes := []Fix{serverFix("MCP_PATH=" + clean(s.endpoint.EscapedPath()))}
	fixes = append(fixes, wholePath()...)
	if s.w.otherPath != "" {
		fixes = append([]Fix{clientFix(clean(s.w.otherPath))}, fixes...)
	}
	return fixes
}

func fixMethod(s *challenged) []Fix {
	fixes := fixPath(s)
	return append(fixes, nginxFix("# remove limit_except and if ($request_method …) from the location"))
}

func fixGateway(*challenged) []Fix {
	return []Fix{
		serverFix("MCP_ADDR=localhost:8000   # and start the server"),
		nginxFix("proxy_pass http://localhost:8000;   # the address in MCP_ADDR", "proxy_read_timeout 1h;"),
		caddyFix("reverse_proxy localhost:8000   # the address in MCP_ADDR"),
	}
}

func fixServerError(*challenged) []Fix {
	return []Fix{{ServerSetting, "the log of the server", "read the line of this request, and correct its cause"}}
}

func fixHost(s *challenged) []Fix { return append(forwardHost(), publicURL(s.endpoint)) }

func fixTLSPort(s *challenged) []Fix {
	return []Fix{clientFix("https://" + clean(s.endpoint.Host+s.endpoint.EscapedPath()))}
}

func fixBodyLimit(*challenged) []Fix {
	return []Fix{
		nginxFix("client_max_body_size 8m;"),
		caddyFix("request_body {", "\tmax_size 8MB", "}"),
	}
}

func fixRateLimit(*challenged) []Fix {
	return []Fix{
		serverFix("MCP_TRUSTED_PROXIES=THE-ADDRESS-OF-THE-PROXY"),
		nginxFix("limit_req zone=mcp burst=100 nodelay;   # in place of a small burst"),
	}
}

func fixOpen(*challenged) []Fix {
	return []Fix{
		serverFix("MCP_UPSTREAM=http://localhost:9000/mcp   # this server, reachable only from mcp-entra-server"),
		codeFix("answer 401 with WWW-Authenticate: Bearer resource_metadata=\"…\" to requests without a valid token"),
	}
}

func fixStatus(s *challenged) []Fix {
	return []Fix{
		codeFix("check the token first, and answer 401 with WWW-Authenticate: Bearer resource_metadata=\"" +
			clean(wellKnown(s.endpoint, "oauth-protected-resource", s.endpoint.EscapedPath())) + "\""),
		nginxFix("# remove deny, allow and access rules for this location, or let the address of the clients pass"),
	}
}

func fixChallenge(s *challenged) []Fix {
	fixes := []Fix{
		nginxFix("# remove proxy_hide_header WWW-Authenticate, and error_page with proxy_intercept_errors",
			"proxy_intercept_errors off;"),
		caddyFix("reverse_proxy localhost:8000   # without header_down -WWW-Authenticate and handle_response"),
	}
	return append(fixes, fixStatus(s)[0])
}

func fixScheme(*challenged) []Fix {
	return []Fix{
		nginxFix("auth_basic off;"),
		caddyFix("# remove basic_auth for this path and for /.well-known/*"),
		codeFix("WWW-Authenticate: Bearer resource_metadata=\"…\""),
	}
}

func fixMetadataParameter(s *challenged) []Fix { return fixStatus(s)[:1] }

func fixMetadataAddress(s *challenged) []Fix {
	return append([]Fix{publicURL(s.endpoint)}, forwardHost()...)
}

func fixAuthorization(*challenged) []Fix {
	return []Fix{
		nginxFix("proxy_set_header Authorization $http_authorization;", "auth_basic off;"),
		caddyFix("reverse_proxy localhost:8000   # without header_up -Authorization and basic_auth"),
		{ProxyLine, "Apache, the virtual host of the server", "CGIPassAuth On"},
	}
}

func fixUnchecked(*challenged) []Fix {
	return []Fix{
		codeFix("verify signature, issuer, audience and expiry of each token"),
		serverFix("MCP_UPSTREAM=http://localhost:9000/mcp   # this server, reachable only from mcp-entra-server"),
	}
}

func fixGetPage(s *challenged) []Fix {
	return []Fix{
		nginxFix("location = "+clean(s.endpoint.EscapedPath())+" {",
			"\tproxy_pass http://localhost:8000;   # for GET and DELETE too", "}"),
		codeFix("answer GET without a token with 401, or with 405 if there is no event stream"),
	}
}

func fixErrorCode(*challenged) []Fix {
	return []Fix{codeFix("send error=\"invalid_token\" only if the request had a token")}
}
