package main

// setupCommands create the app registration that fakeentra verify compares best. Its settings are
// the settings of the app in verify.Directory.
const setupCommands = `# Creates an app registration for fakeentra verify. Needs the Azure CLI, signed in as an
# administrator of a test tenant: az login --allow-no-subscriptions

APP=$(az ad app create --display-name "fakeentra verify" --sign-in-audience AzureADMyOrg \
  --is-fallback-public-client true --public-client-redirect-uris http://localhost --query appId --output tsv)
az ad sp create --id "$APP" --output none

# Tokens of version 2, an identifier URI and one scope.
az rest --method PATCH --url "https://graph.microsoft.com/v1.0/applications(appId='$APP')" \
  --headers Content-Type=application/json --body '{"api": {"requestedAccessTokenVersion": 2,
  "oauth2PermissionScopes": [{"id": "5a1e0010-0000-4000-8000-000000000001", "value": "access_as_user", "type": "User",
  "isEnabled": true, "adminConsentDisplayName": "Access as the user", "adminConsentDescription": "Access as the user",
  "userConsentDisplayName": "Access as the user", "userConsentDescription": "Access as the user"}]}}'
az ad app update --id "$APP" --identifier-uris "api://$APP"

# The permission User.Read of Microsoft Graph, with consent for all users.
az ad app permission add --id "$APP" --api 00000003-0000-0000-c000-000000000000 \
  --api-permissions e1fe6dd8-ba31-4d61-89e7-88639da4683d=Scope
az ad app permission admin-consent --id "$APP"

# A settings file with the secret, which only you can read.
(umask 077; printf "AUTH_TENANT_ID=%s\nAUTH_CLIENT_ID=%s\nAUTH_CLIENT_SECRET='%s'\n" \
  "$(az account show --query tenantId --output tsv)" "$APP" \
  "$(az ad app credential reset --id "$APP" --display-name verify --query password --output tsv)" > verify.env)

fakeentra verify --env verify.env --tier 2 --report report.md

# Afterwards:
# az ad app delete --id "$APP"; rm verify.env
`
