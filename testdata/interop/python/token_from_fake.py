# Gets a token from fakeentra, and checks who issued it. Start fakeentra first.
import base64, json, os, urllib.parse, urllib.request

fake = os.environ.get("FAKE", "http://localhost:8400")
tenant = "5a1e0001-0000-4000-8000-000000000001"
get = lambda url, form=None: json.load(urllib.request.urlopen(url, form and urllib.parse.urlencode(form).encode()))
discovery = get(f"{fake}/{tenant}/v2.0/.well-known/openid-configuration")
token = get(discovery["token_endpoint"], {
    "grant_type": "client_credentials",
    "client_id": "5a1e0002-0000-4000-8000-000000000001",
    "client_secret": "fake-secret-of-the-fake-tenant",
    "scope": "api://5a1e0003-0000-4000-8000-000000000001/.default",
})["access_token"]
claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
print(claims["azp"], "got a token for", claims["aud"], claims["iss"] == discovery["issuer"])
