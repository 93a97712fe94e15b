// Gets a token from fakeentra, and checks who issued it. Start fakeentra first.
import java.net.URI;
import java.net.http.*;
import java.util.*;
import java.util.regex.*;

class TokenFromFake {
    static String send(HttpRequest request) throws Exception {
        return HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
    }

    static String member(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\":\"([^\"]*)\"").matcher(json);
        return found.find() ? found.group(1) : null;
    }

    public static void main(String[] arguments) throws Exception {
        String fake = Optional.ofNullable(System.getenv("FAKE")).orElse("http://localhost:8400");
        String tenant = fake + "/5a1e0001-0000-4000-8000-000000000001";
        URI document = URI.create(tenant + "/v2.0/.well-known/openid-configuration");
        String discovery = send(HttpRequest.newBuilder(document).build());
        String form = "grant_type=client_credentials&client_id=5a1e0002-0000-4000-8000-000000000001"
            + "&client_secret=fake-secret-of-the-fake-tenant&scope=api://5a1e0003-0000-4000-8000-000000000001/.default";
        String answer = send(HttpRequest.newBuilder(URI.create(member(discovery, "token_endpoint")))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(HttpRequest.BodyPublishers.ofString(form)).build());
        String claims = new String(Base64.getUrlDecoder().decode(member(answer, "access_token").split("\\.")[1]));
        boolean same = member(claims, "iss").equals(member(discovery, "issuer"));
        System.out.println(member(claims, "azp") + " got a token for " + member(claims, "aud") + " " + same);
    }
}
