package verify

import (
	"context"
	"net/url"
	"strings"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/useragent"
)

// NewFake returns a fake to compare with an authority, as a side with a person who signs in. The
// fake has the names of the authority's cloud, or the authority's own name if it is on loopback.
// The tenant of the settings decides whether the requests name the tenant by ID or by domain.
func NewFake(authority string, settings Settings) (*Side, Pace, error) {
	config := fakeentra.Config{Directory: Directory(), Cloud: cloudOf(authority)}
	if !isMicrosoft(authority) {
		config.PublicURL = authority
	}
	fake, err := fakeentra.New(config)
	if err != nil {
		return nil, Pace{}, err
	}
	ours := Settings{Tenant: fakeTenant, Client: fakeClient, Secret: fakeSecret}
	if settings.Tenant != "" && !directory.IsGUID(settings.Tenant) {
		ours.Tenant = fakeDomain
	}
	side := NewSide(fake.Client(), fake.Authority(), fake.GraphURL(), ours)
	signIn := func(ctx context.Context, _, code string) error {
		browser := useragent.Browser{Transport: fake.Client().Transport}
		_, err := browser.Visit(ctx, fake.Authority()+"/device?user_code="+url.QueryEscape(code))
		return err
	}
	return side, Pace{SignIn: signIn}, nil
}

// hosts are the hosts of Microsoft's authorities, with their clouds.
var hosts = map[string]fakeentra.Cloud{
	"login.microsoftonline.com":        fakeentra.PublicCloud,
	"login.microsoftonline.us":         fakeentra.USGov,
	"login.partner.microsoftonline.cn": fakeentra.China,
}

func cloudOf(authority string) fakeentra.Cloud {
	return hosts[strings.TrimPrefix(authority, "https://")]
}

func isMicrosoft(authority string) bool {
	_, found := hosts[strings.TrimPrefix(authority, "https://")]
	return found
}

// Origins returns the schemes and hosts at which a program reaches an authority and Graph.
func Origins(authority, graph string) []string {
	origins := []string{authority}
	if graph != authority {
		origins = append(origins, graph)
	}
	if isMicrosoft(authority) && cloudOf(authority) == fakeentra.PublicCloud {
		origins = append(origins, "https://login.windows.net", "https://login.microsoft.com", "https://sts.windows.net")
	}
	return origins
}
