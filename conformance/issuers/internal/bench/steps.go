package bench

import (
	"context"

	"mcpentra/conformance/check"
)

// PublicApproved sends a person through a good request of a public client. The check cannot be done
// without a code.
func (p *Probe) PublicApproved(ctx context.Context, changes ...Change) (*Authorization, error) {
	client, err := p.Public(ctx)
	if err != nil {
		return nil, err
	}
	return p.Approved(ctx, client, changes...)
}

// PublicGranted takes a public client through the whole flow, and returns it with its tokens.
func (p *Probe) PublicGranted(ctx context.Context, changes ...Change) (*Client, *Tokens, error) {
	client, err := p.Public(ctx)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := p.Granted(ctx, client, changes...)
	return client, tokens, err
}

// PublicWithRefresh is PublicGranted. The check does not apply if there is no refresh token.
func (p *Probe) PublicWithRefresh(ctx context.Context, changes ...Change) (*Client, *Tokens, error) {
	client, err := p.Public(ctx)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := p.WithRefresh(ctx, client, changes...)
	return client, tokens, err
}

// Refreshed redeems a good refresh token. The check cannot be done if that fails.
func (p *Probe) Refreshed(
	ctx context.Context, client *Client, refresh string, changes ...Change,
) (*Tokens, error) {
	answer, tokens, err := p.Refresh(ctx, client, refresh, changes...)
	if err == nil && tokens == nil {
		err = &check.CannotJudge{Reason: "the control failed: a good refresh token is answered with " + answer.String()}
	}
	return tokens, err
}

// ControlRefresh shows that a refresh token of a client works, and returns the tokens of the
// answer. It makes the changes in the authorization request and in the refresh.
func (p *Probe) ControlRefresh(ctx context.Context, client *Client, changes ...Change) (*Tokens, error) {
	tokens, err := p.WithRefresh(ctx, client, changes...)
	if err != nil {
		return nil, err
	}
	return p.Refreshed(ctx, client, tokens.Refresh, changes...)
}
