"""Runs MSAL for Python against a fake over TLS. Prints a line for each step that worked."""
import os

import msal
import requests

AUTHORITY, TENANT, CLIENT, SECRET, API = (os.environ[name] for name in ("AUTHORITY", "TENANT", "CLIENT", "SECRET", "API"))
REDIRECT = "http://localhost:8000/auth/callback"
ADELE = "AdeleV@contoso.onmicrosoft.com"
options = {"authority": f"{AUTHORITY}/{TENANT}", "instance_discovery": False, "verify": os.environ["CA"]}
web = requests.Session()
web.verify = os.environ["CA"]


def done(what):
    print("ok", what)


def works(answer, what):
    assert "access_token" in answer, answer
    done(what)
    return answer


client = msal.ConfidentialClientApplication(CLIENT, client_credential=SECRET, **options)
works(client.acquire_token_for_client([f"api://{API}/.default"]), "client credentials")

refused = msal.ConfidentialClientApplication(CLIENT, client_credential="guess", **options).acquire_token_for_client([f"api://{API}/.default"])
assert refused["error"] == "invalid_client" and refused["error_codes"] == [7000215], refused
done("wrong secret")


def sign_in(**more):
    """Signs Adele in. The fake picks the person in login_hint, and answers in the header Location."""
    flow = client.initiate_auth_code_flow(["User.Read"], redirect_uri=REDIRECT, login_hint=ADELE, **more)
    answer = web.get(flow["auth_uri"], allow_redirects=False)
    query = requests.utils.urlparse(answer.headers["Location"]).query
    parts = (part.split("=", 1) for part in query.split("&"))
    returned = {name: requests.utils.unquote(value.replace("+", " ")) for name, value in parts}
    return client.acquire_token_by_auth_code_flow(flow, returned)


tokens = works(sign_in(), "authorization code")
assert tokens["id_token_claims"]["preferred_username"] == ADELE, tokens["id_token_claims"]

# With max_age MSAL refuses an ID token without auth_time, and one with an earlier time.
for seconds in (600, 0):
    recent = works(sign_in(max_age=seconds), f"authorization code with max_age={seconds}")
    assert recent["id_token_claims"]["auth_time"], recent["id_token_claims"]

account = client.get_accounts(ADELE)[0]
works(client.acquire_token_silent([f"api://{API}/tool.read"], account), "silent refresh for another resource")

middle = msal.ConfidentialClientApplication(os.environ["MIDDLE"], client_credential="middle", **options)
works(middle.acquire_token_on_behalf_of(os.environ["ASSERTION"], ["User.Read"]), "on behalf of")

device = msal.PublicClientApplication(API, **options)
flow = device.initiate_device_flow(["User.Read"])
assert "You have signed in" in web.post(f"{AUTHORITY}/device", data={"user_code": flow["user_code"]}).text
works(device.acquire_token_by_device_flow(flow), "device code")
