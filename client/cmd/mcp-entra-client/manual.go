package main

const manual = `Mcp-entra-client connects to an MCP server of any of the four revisions. If the server asks
for it, it signs you in: it finds the authorization server, registers there, opens your browser
and waits for the answer on this machine. Each step is printed to standard error, numbered, and
never with a token in it. What a tool answers goes to standard output.

Without a verb it prompts for commands: list, describe <tool>, call <tool>, help, quit. A call takes
name=value words, whose types the tool's schema says, or one JSON object.

You stay signed in: registrations and tokens are kept in files of your own, encrypted, with the
key in the system's keychain, or in a file beside them where no keychain answers. The sign-in
says which. --account keeps several accounts at one server apart.

Without a browser on this machine: --no-browser prints the page's address, for one that reaches
this machine; with --paste the browser may be anywhere, and you paste back the address that it
ends at; with --device-code you type a code on another device, where the server offers that.

Without a person: --client-credentials uses the client's own secret or key; --assertion-file the
identity that a platform gives its workloads; --idp-client-id and --id-token-file exchange what
your organisation's identity provider has issued. MCP_TOKEN or --token-command gives a token
that comes from elsewhere.

It reads these settings from the environment, and from the file that --env names; without --env
it reads no file. The environment wins over the file, and a flag wins over both. A relative path
in the file begins at the file's folder. No secret is ever an argument, where every user of the
machine could read it.

  MCP_URL                  the server, when none is given
  MCP_ACCOUNT              the account, for --account
  MCP_CLIENT_ID            a client ID that the authorization server has given you, and
  MCP_CLIENT_SECRET        its secret, if it has one (or MCP_CLIENT_SECRET_FILE), or
  MCP_CLIENT_KEY_FILE      its private key; without an ID the program registers itself
  MCP_CLIENT_ISSUER        the only authorization server that the ID and secret are for
  MCP_CLIENT_METADATA_URL  the address of a client ID metadata document
  MCP_REDIRECT_URI         where to wait for the answer (http://localhost/callback, any free port)
  MCP_TOKEN                an access token to use as it is
  MCP_ID_TOKEN             an ID token (or MCP_ID_TOKEN_FILE), and MCP_IDP_CLIENT_SECRET
  MCP_TOKEN_STORE          file (or file:FOLDER), memory, or command:WORDS
  BROWSER                  the command that opens a page, or several with colons between; %s
                           stands for the address; split into words, never run by a shell

Some servers break rules of MCP. Each of these flags relaxes one rule, and a refusal names the
flag that would help:

  --entra-unadvertised-pkce  Entra ID's metadata does not say that it does PKCE
  --entra-no-resource        Entra ID refuses a resource that is no Application ID URI
  --entra-tenants            Entra ID's organizations and common have a template as issuer; the ID
                             token says which tenant it is, and no other is taken later
  --issuer-root-slash        an issuer has a slash after its host in one place, and not in the other
  --resource-above           metadata describes the server's origin, or a path above the server's

Exit status: 0 fine; 1 the tool answered with an error; 2 usage, set-up, or the server cannot be
reached; 3 a sign-in was needed and was refused, interrupted or not finished in time. Commands that
are piped in all run; the status is then of the first one that failed.`
