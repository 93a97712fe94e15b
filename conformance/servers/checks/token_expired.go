package checks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenExpired tries server/token/expired. A token that expired only minutes ago says nothing if
// the server accepts it: RFC 7519 allows a leeway of a few minutes.
func tokenExpired(ctx context.Context, p *bench.Probe) error {
	err := refusesKind(bench.Expired, attack.Unauthorized)(ctx, p)
	var mismatch *check.Mismatch
	if !errors.As(err, &mismatch) || !mismatch.Insecure {
		return err
	}
	token, missing := p.Token(ctx, bench.Expired)
	if missing != nil {
		return err
	}
	expired, known := expiryOf(token)
	if age := time.Since(expired).Round(time.Second); known && age <= mostLeeway {
		const text = "the server accepts a token that expired %v ago, but may allow a leeway of a few minutes; " +
			"give a token that expired more than %v ago"
		return &check.NotApplicable{Reason: fmt.Sprintf(text, age, mostLeeway)}
	}
	return err
}

// expiryOf returns the expiry time of a JWT. Known is false for other tokens.
func expiryOf(token string) (expires time.Time, known bool) {
	jwt, err := attack.ParseJWT(token)
	if err != nil {
		return time.Time{}, false
	}
	number, isNumber := jwt.Claims["exp"].(fmt.Stringer) // a json.Number
	if !isNumber {
		return time.Time{}, false
	}
	var seconds float64
	if _, err := fmt.Sscan(number.String(), &seconds); err != nil {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}
