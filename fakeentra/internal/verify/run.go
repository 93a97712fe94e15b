package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	"mcpentra/fakeentra/internal/verify/facts"
	"mcpentra/fakeentra/internal/verify/mask"
	"mcpentra/fakeentra/internal/verify/recording"
)

// Bounds of a request.
const (
	maxBody        = 1 << 20 // bytes
	requestTimeout = 30 * time.Second
	maxPolling     = 15 * time.Minute
)

// An Answer is the masked answer to a request of the list, or the reason why there is none.
type Answer struct {
	Exchange *recording.Exchange
	Reason   string
}

// A Pace is the speed of a run, and the person in it.
type Pace struct {
	// Pause is the time between two requests.
	Pause time.Duration
	// Poll is the time between two polls for the sign-in of a person.
	Poll time.Duration
	// SignIn shows a person where to sign in. It returns before the person has done so.
	SignIn func(ctx context.Context, page, code string) error
	// Sent is called before each request. Nil means no call.
	Sent func(name string)
}

// Ask sends the requests up to a tier to one side, and returns the answers by the name of the
// request. It ends early if the context ends or the side throttles. The requests that it did not
// send have a reason.
func Ask(ctx context.Context, requests []facts.Request, side *Side, tier int, pace Pace) map[string]Answer {
	answers := map[string]Answer{}
	values := maps.Clone(side.Values)
	stopped := ""
	sent := false
	for _, request := range requests {
		switch {
		case stopped == "" && ctx.Err() != nil:
			stopped = "the run was interrupted"
		case request.Tier > tier:
			answers[request.Name] = Answer{Reason: fmt.Sprintf("it belongs to tier %d", request.Tier)}
			continue
		}
		if stopped != "" {
			answers[request.Name] = Answer{Reason: stopped}
			continue
		}
		if sent && !pause(ctx, pace.Pause) {
			answers[request.Name] = Answer{Reason: "the run was interrupted"}
			continue
		}
		if pace.Sent != nil {
			pace.Sent(request.Name)
		}
		sent = true
		answer := side.ask(ctx, request, values, pace)
		answers[request.Name] = answer
		if answer.Exchange != nil && answer.Exchange.Status == http.StatusTooManyRequests {
			stopped = "the tenant throttles; try again later"
			answers[request.Name] = Answer{Reason: stopped}
		}
	}
	return answers
}

// pause waits, and reports false if the context ended first.
func pause(ctx context.Context, duration time.Duration) bool {
	if duration <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ask sends one request, several times if it polls, and saves the variables of its answer.
func (s *Side) ask(ctx context.Context, request facts.Request, values map[string]string, pace Pace) Answer {
	if request.Poll {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, maxPolling)
		defer cancel()
		if err := s.signIn(ctx, values, pace); err != nil {
			return Answer{Reason: err.Error()}
		}
	}
	for {
		exchange, body, err := s.send(ctx, request, values)
		if err != nil {
			return Answer{Reason: err.Error()}
		}
		if request.Poll && memberText(body, "error") == "authorization_pending" {
			if !pause(ctx, pace.Poll) {
				return Answer{Reason: "no person signed in in time"}
			}
			continue
		}
		for name, member := range request.Save {
			values[name] = memberText(body, member)
		}
		return Answer{Exchange: exchange}
	}
}

// signIn shows the person the code of the device.
func (s *Side) signIn(ctx context.Context, values map[string]string, pace Pace) error {
	if pace.SignIn == nil || values["user_code"] == "" {
		return errors.New("there is no code to sign in with")
	}
	return pace.SignIn(ctx, values["verification_uri"], values["user_code"])
}

// send sends one request. It returns the masked exchange and the body.
func (s *Side) send(
	ctx context.Context,
	request facts.Request,
	values map[string]string,
) (*recording.Exchange, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r, sentBody, err := newRequest(ctx, request, values)
	if err != nil {
		return nil, nil, err
	}
	response, err := s.Client.Do(r)
	if err != nil {
		return nil, nil, withoutAddress(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return nil, nil, withoutAddress(err)
	}
	if len(body) > maxBody {
		return nil, nil, fmt.Errorf("the answer has more than %d bytes", maxBody)
	}
	exchange := s.Masker.Exchange(mask.Raw{
		Method:        r.Method,
		URL:           r.URL,
		RequestHeader: r.Header,
		RequestBody:   sentBody,
		Status:        response.StatusCode,
		Header:        response.Header,
		Body:          body,
	})
	return &exchange, body, nil
}

// withoutAddress removes the address from an error of net/http. It holds the tenant's ID.
func withoutAddress(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	return fmt.Errorf("the request failed: %w", err)
}

func newRequest(ctx context.Context, request facts.Request, values map[string]string) (*http.Request, []byte, error) {
	address, err := facts.Fill(request.URL, values)
	if err != nil {
		return nil, nil, err
	}
	form := url.Values{}
	for name, text := range request.Form {
		value, err := facts.Fill(text, values)
		if err != nil {
			return nil, nil, err
		}
		form.Set(name, value)
	}
	body := []byte(form.Encode())
	method := http.MethodGet
	if request.Form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, nil, errors.New("the address is not valid; look at the settings")
	}
	for name, text := range request.Header {
		value, err := facts.Fill(text, values)
		if err != nil {
			return nil, nil, err
		}
		r.Header.Set(name, value)
	}
	if request.Form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		r.Body = http.NoBody
		r.ContentLength = 0
	}
	r.Header.Set("User-Agent", "fakeentra-verify")
	return r, body, nil
}

// memberText returns a text member of a JSON object, or an empty text.
func memberText(body []byte, name string) string {
	object := map[string]any{}
	_ = json.Unmarshal(body, &object) // no object has no member
	text, _ := object[name].(string)
	return text
}
