package main

// manual is the long text of --help.
const manual = `Mcp-entra-client connects to an MCP server of any of the four revisions. If the server
requires it, the program signs you in: it finds the authorization server, registers there, opens
your browser and waits for the answer on this machine. The numbered steps go to standard error
and never hold a token. A tool's answer goes to standard output.

Without a verb, the program prompts for commands: list, describe <tool>, call <tool>, help, quit. A
call takes one JSON object or name=value words. The tool's schema decides the types of the values.

You stay signed in. Registrations and tokens are in encrypted files that only you can read. The
key is in the system's keychain. If no keychain answers, the key is in a file beside the tokens,
and the sign-in says so. --account keeps several accounts at one server apart.

Without a browser on this machine, use one of these:

  --no-browser   prints the page's address; open it in a browser that reaches this machine
  --paste        prints the page's address; open it anywhere, and paste the address that the
                 browser ends at
  --device-code  prints a code to type on another device, if the server supports that

Without a person, use one of these:

  --client-credentials              the client's own secret or key
  --assertion-file                  the identity that a platform gives its workloads
  --idp-client-id, --id-token-file  the ID token of your organisation's identity provider
  --token-command, or MCP_TOKEN     an access token from another source

The program reads the settings below from the environment, and from the file that --env names.
Without --env it reads no file. The environment wins over the file, and a flag wins over both. A
relative path in the file begins at the file's folder. A secret is never an argument, because
every user of the machine could read it.

  MCP_URL                  the server, if no argument names one
  MCP_ACCOUNT              the account, for --account
  MCP_CLIENT_ID            a client ID that the authorization server has given you; without
                           one the program registers itself
  MCP_CLIENT_SECRET        the client's secret, or MCP_CLIENT_SECRET_FILE
  MCP_CLIENT_KEY_FILE      the client's private key, instead of a secret
  MCP_CLIENT_ISSUER        the only authorization server that may see the client ID and secret
  MCP_CLIENT_METADATA_URL  the URL of a client ID metadata document
  MCP_REDIRECT_URI         where to wait for the answer (http://localhost/callback, any free port)
  MCP_TOKEN                an access token to use as it is
  MCP_ID_TOKEN             an ID token, or MCP_ID_TOKEN_FILE
  MCP_IDP_CLIENT_SECRET    the client's secret at the identity provider
  MCP_TOKEN_STORE          file (or file:FOLDER), memory, or command:WORDS
  BROWSER                  the command that opens a page, or several with colons between; the
                           address replaces %s; no shell runs the command

Some servers break rules of MCP. Each of these flags relaxes one rule, and a refusal names the
flag that would help:

  --entra-unadvertised-pkce  Entra ID supports PKCE, but its metadata does not say so
  --entra-no-resource        Entra ID refuses a resource that is not an Application ID URI
  --entra-tenants            Entra ID's organizations and common have a template as issuer; the ID
                             token names the tenant, and later tokens of another are refused
  --issuer-root-slash        two issuers differ only in a slash after the host
  --resource-above           metadata describes the server's origin, or a path above the server's

Exit status: 0 success; 1 the tool answered with an error; 2 usage, set-up, or no connection to the
server; 3 a sign-in was needed and was refused, interrupted or not finished in time. Piped commands
all run, and the status is from the first one that failed.`
