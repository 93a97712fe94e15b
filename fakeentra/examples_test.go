package fakeentra_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/fault"
	"mcpentra/fakeentra/journal"
)

const exampleKeys = "https://login.microsoftonline.com/" + directory.DefaultTenantID + "/discovery/v2.0/keys"

// status asks a fake for something and returns the status of the answer.
func status(fake *fakeentra.Fake, address string) any {
	response, err := fake.Client().Get(address)
	if err != nil {
		return "no answer"
	}
	defer response.Body.Close()
	return response.StatusCode
}

// The first request for keys is throttled, the second gets no answer, all others go well.
func ExampleFake_Inject() {
	fake, err := fakeentra.New(fakeentra.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = fake.Inject(
		fault.Fault{On: endpoint.Keys, Status: http.StatusTooManyRequests, RetryAfter: time.Minute},
		fault.Fault{On: endpoint.Keys, Drop: true},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(status(fake, exampleKeys), status(fake, exampleKeys), status(fake, exampleKeys))
	fmt.Println("left over:", len(fake.Script().Unused()))
	// Output:
	// 429 no answer 200
	// left over: 0
}

// Half of everything fails, in the same way in every run.
func ExampleConfig_chaos() {
	fake, err := fakeentra.New(
		fakeentra.Config{Chaos: fault.Chaos{Share: 0.5, Seed: 1, Faults: []fault.Fault{{Status: 503}}}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 6 {
		fmt.Print(status(fake, exampleKeys), " ")
	}
	// Output: 503 503 200 503 200 503
}

// What a server has to refuse, in one loop.
func ExampleFake_BadTokens() {
	fake, err := fakeentra.New(fakeentra.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	bad, err := fake.BadTokens(fakeentra.Token{Scopes: []string{"tool.read"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, one := range bad[:3] {
		fmt.Println(one.Name+":", one.Why) // and here: assert that the server answers one.Token with 401
	}
	// Output:
	// expired: exp is an hour ago
	// not-yet-valid: nbf is in an hour
	// no-exp: there is no exp
}

// A code expires before the client redeems it.
func ExampleFake_Advance() {
	now := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	fake, err := fakeentra.New(fakeentra.Config{Now: func() time.Time { return now }})
	if err != nil {
		fmt.Println(err)
		return
	}
	fake.Advance(11 * time.Minute)
	fmt.Println(fake.Now().Format(time.TimeOnly))
	// Output: 09:11:00
}

// What was asked, with secrets masked: one secret has one number.
func ExampleFake_Journal() {
	fake, err := fakeentra.New(fakeentra.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	response, err := fake.Client().PostForm("https://login.microsoftonline.com/common/oauth2/v2.0/token", url.Values{
		"grant_type": {"password"},
		"client_id":  {directory.DefaultClientID},
		"username":   {"adele"},
		"password":   {"hunter2"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	response.Body.Close()
	entry, err := fake.Journal().Take(context.Background(), journal.Filter{Endpoint: endpoint.Token})
	fmt.Println(entry.Form.Get("username"), entry.Form.Get("password"), entry.AADSTS, err)
	// Output: adele [password 1] 50194 <nil>
}

// People who were signed in stay so, as long as they are in the new directory.
func ExampleFake_SetDirectory() {
	fake, err := fakeentra.New(fakeentra.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := directory.Parse("example.yaml", []byte(directory.Example))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(fake.SetDirectory(file.Directory()), len(fake.Directory().Tenants))
	// Output: <nil> 2
}

// A fake with TLS, for libraries that want it. CAPEM is what other programs have to trust.
func ExampleNewTLSServer() {
	fake := fakeentra.NewTLSServer(fakeentra.Config{})
	defer fake.Close()
	response, err := fake.Client().Get(fake.URL + "/common/v2.0/.well-known/openid-configuration")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	fmt.Println(response.StatusCode, strings.HasPrefix(string(fake.CAPEM()), "-----BEGIN CERTIFICATE-----"))
	// Output: 200 true
}

// A planned rollover: what the next key signs today is what the present one signs tomorrow.
func ExampleFake_Rotate() {
	fake, err := fakeentra.New(fakeentra.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	header := func(key fakeentra.Key) string {
		raw, err := fake.Mint(fakeentra.Token{Key: key})
		if err != nil {
			return err.Error()
		}
		return strings.Split(raw, ".")[0]
	}
	next := header(fakeentra.NextKey)
	if err := fake.Rotate(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(header(fakeentra.PresentKey) == next)
	// Output: true
}

// With a seed and a clock that stands still, two fakes answer alike.
func ExampleConfig_seed() {
	mint := func() string {
		fake, err := fakeentra.New(fakeentra.Config{
			Rand: rand.NewChaCha8([32]byte{1}),
			Now:  func() time.Time { return time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC) },
		})
		if err != nil {
			return err.Error()
		}
		raw, err := fake.Mint(fakeentra.Token{})
		if err != nil {
			return err.Error()
		}
		return raw
	}
	one := mint()
	another := mint()
	fmt.Println(one == another)
	// Output: true
}
