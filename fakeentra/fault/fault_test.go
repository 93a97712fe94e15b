package fault_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/fault"
)

func TestCheckRefusesWhatCannotBeMeant(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		one  fault.Fault
	}{
		{"want an effect", fault.Fault{On: endpoint.Token, Nth: 2}},
		{`unknown endpoint "tokens"`, fault.Fault{On: "tokens", Drop: true}},
		{"nth: want 1 to 1000000", fault.Fault{Nth: -1, Drop: true}},
		{"times: want 1 to 1000000", fault.Fault{Times: -2, Drop: true}},
		{"delay: want at most 1h0m0s", fault.Fault{Delay: 2 * time.Hour}},
		{"retryAfter: want whole seconds", fault.Fault{Status: 429, RetryAfter: time.Millisecond}},
		{"status: want 200 to 599", fault.Fault{Status: 42}},
		{"aadsts: the error 1 is not", fault.Fault{AADSTS: 1}},
		{"cutAfter: want a number", fault.Fault{CutAfter: -1}},
		{"drop sends no answer", fault.Fault{Drop: true, Status: 500}},
		{"aadsts sets the status", fault.Fault{AADSTS: 50076, Status: 500}},
		{"body needs a status", fault.Fault{Body: "x"}},
		{"garbage replaces the body", fault.Fault{Garbage: true, Edit: map[string]any{"a": 1}}},
		{"edit changes the answer", fault.Fault{Status: 200, Body: "{}", Edit: map[string]any{"a": 1}}},
		{`"X: y" is not a header field`, fault.Fault{Header: map[string]string{"X: y": "z"}}},
		{`"X-Long" is not a header field`, fault.Fault{Header: map[string]string{"X-Long": "a\r\nSet-Cookie: b"}}},
		{"body: want at most 1048576 byte", fault.Fault{Status: 200, Body: string(make([]byte, 2<<20))}},
	} {
		assert.ErrorContains(t, test.one.Check(), test.text)
		script := fault.Script{}
		require.Error(t, script.Add(fault.Fault{Drop: true}, test.one), test.text)
		assert.Empty(t, script.All(), "all or none")
	}
}

// play is which of n calls to an endpoint are struck, by the name of the fault.
func play(script *fault.Script, n int, call fault.Call) []string {
	var struck []string
	for range n {
		name := ""
		if one := script.Match(call); one != nil {
			name = one.Name
		}
		struck = append(struck, name)
	}
	return struck
}

func TestScriptIsPlayedInOrder(t *testing.T) {
	t.Parallel()
	token := fault.Call{Endpoint: endpoint.Token, Client: "A", Grant: "refresh_token"}
	for _, test := range []struct {
		name   string
		faults []fault.Fault
		want   []string
	}{
		{"once", []fault.Fault{{Name: "a", Drop: true}}, []string{"a", "", "", ""}},
		{"the second", []fault.Fault{{Name: "a", Drop: true, Nth: 2}}, []string{"", "a", "", ""}},
		{
			"the second and third",
			[]fault.Fault{{Name: "a", Drop: true, Nth: 2, Times: 2}},
			[]string{"", "a", "a", ""},
		},
		{
			"without end",
			[]fault.Fault{{Name: "a", Drop: true, Nth: 3, Times: fault.Forever}},
			[]string{"", "", "a", "a"},
		},
		{
			"one after the other",
			[]fault.Fault{{Name: "a", Drop: true}, {Name: "b", Drop: true}},
			[]string{"a", "b", "", ""},
		},
		{
			"all calls are counted",
			[]fault.Fault{{Name: "a", Drop: true}, {Name: "b", Drop: true, Nth: 3}},
			[]string{"a", "", "b", ""},
		},
		{"of another client", []fault.Fault{{Name: "a", Drop: true, Client: "B"}}, []string{"", "", "", ""}},
		{"of this client", []fault.Fault{{Name: "a", Drop: true, Client: "a"}}, []string{"a", "", "", ""}},
		{
			"at another endpoint",
			[]fault.Fault{{Name: "a", Drop: true, On: endpoint.Keys}},
			[]string{"", "", "", ""},
		},
		{
			"of another grant",
			[]fault.Fault{{Name: "a", Drop: true, Grant: "password"}, {Name: "b", Drop: true, Grant: "refresh_token"}},
			[]string{"b", "", "", ""},
		},
		{
			"an exception, then a rule",
			[]fault.Fault{{Name: "a", Drop: true, Nth: 2}, {Name: "b", Drop: true, Times: fault.Forever}},
			[]string{"b", "a", "b", "b"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var script fault.Script
			require.NoError(t, script.Add(test.faults...))
			assert.Equal(t, test.want, play(&script, 4, token))
		})
	}
}

func TestUnused(t *testing.T) {
	t.Parallel()
	var script fault.Script
	require.NoError(t, script.Add(
		fault.Fault{Name: "used", Drop: true}, fault.Fault{Name: "half", Drop: true, Times: 5},
		fault.Fault{
			Name:  "ever",
			Drop:  true,
			Times: fault.Forever,
		}, fault.Fault{Name: "never", On: endpoint.Graph, Drop: true, Times: fault.Forever},
	))
	play(&script, 3, fault.Call{Endpoint: endpoint.Token})
	var names []string
	for _, one := range script.Unused() {
		names = append(names, one.Fault.Name)
	}
	assert.Equal(t, []string{"half", "ever", "never"}, names)
	assert.Equal(t, 2, script.All()[1].Applied)
	script.Clear()
	assert.Empty(t, script.All())
}

func TestScriptIsBounded(t *testing.T) {
	t.Parallel()
	var script fault.Script
	require.NoError(t, script.Add(make1000()...))
	assert.ErrorContains(t, script.Add(fault.Fault{Drop: true}), "at most 1000")
}

func make1000() []fault.Fault {
	faults := make([]fault.Fault, 1000)
	for i := range faults {
		faults[i].Drop = true
	}
	return faults
}

func TestChaosIsTheSameUnderOneSeed(t *testing.T) {
	t.Parallel()
	sequence := func(seed uint64, share float64) []string {
		var script fault.Script
		require.NoError(t, script.SetChaos(fault.Chaos{Share: share, Seed: seed}))
		return play(&script, 2000, fault.Call{Endpoint: endpoint.Token})
	}
	first := sequence(1, 0.25)
	assert.Equal(t, first, sequence(1, 0.25))
	assert.NotEqual(t, first, sequence(2, 0.25))
	kinds := map[string]bool{}
	struck := 0
	for _, name := range first {
		if name != "" {
			kinds[name] = true
			struck++
		}
	}
	assert.InDelta(t, 500, struck, 60)
	assert.Len(t, kinds, len(fault.Usual()), "everything that usually fails does")
	assert.NotContains(t, sequence(1, 1), "")
	for _, name := range sequence(1, 0) {
		assert.Empty(t, name)
	}
}

func TestChaosRefusals(t *testing.T) {
	t.Parallel()
	var script fault.Script
	for _, share := range []float64{-0.1, 1.1, math.NaN(), math.Inf(1)} {
		assert.ErrorContains(t, script.SetChaos(fault.Chaos{Share: share}), "want a share from 0 to 1")
	}
	assert.Error(t, script.SetChaos(fault.Chaos{Share: 1, Faults: []fault.Fault{}}))
	assert.Error(t, script.SetChaos(fault.Chaos{Share: 1, Faults: []fault.Fault{{}}}))
}

// A script goes before chaos.
func TestScriptGoesFirst(t *testing.T) {
	t.Parallel()
	var script fault.Script
	require.NoError(t, script.SetChaos(fault.Chaos{
		Share:  1,
		Faults: []fault.Fault{{Name: "chaos", Drop: true, On: endpoint.Token}},
	}))
	require.NoError(t, script.Add(fault.Fault{Name: "script", Drop: true}))
	assert.Equal(t, []string{"script", "chaos"}, play(&script, 2, fault.Call{Endpoint: endpoint.Token}))
	assert.Equal(t, []string{""}, play(&script, 1, fault.Call{Endpoint: endpoint.Keys}))
}

func TestJSON(t *testing.T) {
	t.Parallel()
	const text = `{"on":"token","times":-1,"status":429,"edit":{"access_token":null},` +
		`"delay":"1.5s","retryAfter":"1m0s"}`
	var one fault.Fault
	require.NoError(t, json.Unmarshal([]byte(text), &one))
	assert.Equal(t, fault.Fault{
		On:         endpoint.Token,
		Times:      fault.Forever,
		Status:     429,
		Edit:       map[string]any{"access_token": nil},
		Delay:      1500 * time.Millisecond,
		RetryAfter: time.Minute,
	}, one)
	back, err := json.Marshal(one)
	require.NoError(t, err)
	assert.JSONEq(t, text, string(back))
	assert.ErrorContains(t, json.Unmarshal([]byte(`{"state":429}`), &one), `unknown field "state"`)
	assert.ErrorContains(
		t,
		json.Unmarshal([]byte(`{"delay":"soon"}`), &one),
		`delay: want a duration such as 1.5s, got "soon"`,
	)
	assert.Error(t, json.Unmarshal([]byte(`{"delay":3}`), &one))
}

func TestString(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		want string
		one  fault.Fault
	}{
		{"token: 429, retry after 1m0s", fault.Fault{On: endpoint.Token, Status: 429, RetryAfter: time.Minute}},
		{"any endpoint: delay 1s, drop, processed", fault.Fault{Delay: time.Second, Drop: true, Processed: true}},
		{"keys: header, edit, cut after 3", fault.Fault{
			On:       endpoint.Keys,
			Header:   map[string]string{"A": "b"},
			Edit:     map[string]any{"a": 1},
			CutAfter: 3,
		}},
		{"authorize: AADSTS50076", fault.Fault{On: endpoint.Authorize, AADSTS: 50076}},
		{"a name", fault.Fault{Name: "a name", Garbage: true}},
	} {
		assert.Equal(t, test.want, test.one.String())
	}
}
