// Gets a token from fakeentra, and checks who issued it. Start fakeentra first.
using System.Text.Json;

var fake = Environment.GetEnvironmentVariable("FAKE") ?? "http://localhost:8400";
var tenant = "5a1e0001-0000-4000-8000-000000000001";
using var http = new HttpClient();
var document = await http.GetStringAsync($"{fake}/{tenant}/v2.0/.well-known/openid-configuration");
var discovery = JsonDocument.Parse(document).RootElement;
var form = new FormUrlEncodedContent(new Dictionary<string, string> {
    ["grant_type"] = "client_credentials",
    ["client_id"] = "5a1e0002-0000-4000-8000-000000000001",
    ["client_secret"] = "fake-secret-of-the-fake-tenant",
    ["scope"] = "api://5a1e0003-0000-4000-8000-000000000001/.default",
});
var response = await http.PostAsync(discovery.GetProperty("token_endpoint").GetString(), form);
var answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
var payload = answer.GetProperty("access_token").GetString()!.Split('.')[1].Replace('-', '+').Replace('_', '/');
var padded = payload.PadRight((payload.Length + 3) / 4 * 4, '=');
var claims = JsonDocument.Parse(Convert.FromBase64String(padded)).RootElement;
var same = claims.GetProperty("iss").GetString() == discovery.GetProperty("issuer").GetString() ? "true" : "false";
Console.WriteLine($"{claims.GetProperty("azp")} got a token for {claims.GetProperty("aud")} {same}");
