// Gets a token from fakeentra, and checks who issued it. Start fakeentra first.
using System.Text.Json;

var fake = Environment.GetEnvironmentVariable("FAKE") ?? "http://localhost:8400";
var tenant = "5a1e0001-0000-4000-8000-000000000001";
using var http = new HttpClient();
var discovery = JsonDocument.Parse(await http.GetStringAsync($"{fake}/{tenant}/v2.0/.well-known/openid-configuration")).RootElement;
var answer = await http.PostAsync(discovery.GetProperty("token_endpoint").GetString(), new FormUrlEncodedContent(new Dictionary<string, string> {
    ["grant_type"] = "client_credentials",
    ["client_id"] = "5a1e0002-0000-4000-8000-000000000001",
    ["client_secret"] = "fake-secret-of-the-fake-tenant",
    ["scope"] = "api://5a1e0003-0000-4000-8000-000000000001/.default",
}));
var token = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("access_token").GetString()!;
var payload = token.Split('.')[1].Replace('-', '+').Replace('_', '/');
var claims = JsonDocument.Parse(Convert.FromBase64String(payload.PadRight((payload.Length + 3) / 4 * 4, '='))).RootElement;
var same = claims.GetProperty("iss").GetString() == discovery.GetProperty("issuer").GetString();
Console.WriteLine($"{claims.GetProperty("azp")} got a token for {claims.GetProperty("aud")} {same.ToString().ToLower()}");
