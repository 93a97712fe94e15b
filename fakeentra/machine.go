package fakeentra

import (
	"net/http"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/claims"
	"mcpentra/fakeentra/internal/managedidentity"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/state"
)

// renewBefore is the time before the expiry at which the machine gets a new token (L).
const renewBefore = 5 * time.Minute

// IdentityEnvironment returns the variables that App Service sets for a process, each as
// NAME=VALUE: IDENTITY_ENDPOINT and IDENTITY_HEADER. With them, libraries of Azure get tokens for
// the managed identities of the directory.
func (f *Fake) IdentityEnvironment() []string {
	return []string{
		"IDENTITY_ENDPOINT=" + f.backchannel + "/msi/token",
		"IDENTITY_HEADER=" + f.config.IdentityHeader,
	}
}

// machine connects the managed identity endpoints to the fake.
func (f *Fake) machine() managedidentity.Config {
	token := func(
		tenant *directory.Tenant,
		identity *directory.ManagedIdentity,
		resource string,
	) (managedidentity.Token, *aadsts.Error) {
		now := f.clock.now()
		kept, found := f.state.ManagedToken(identity.ID, resource)
		if !found || !now.Before(kept.Expiry.Add(-renewBefore)) || now.Before(kept.Issued) {
			value, problem := f.managedToken(tenant, identity, resource)
			if problem != nil {
				return managedidentity.Token{}, problem
			}
			kept = state.ManagedToken{Value: value, Issued: now, Expiry: now.Add(managedidentity.Lifetime)}
			f.state.AddManagedToken(identity.ID, resource, kept)
		}
		return managedidentity.Token{
			Value:     kept.Value,
			NotBefore: kept.Issued.Add(-claims.Backdate),
			Expiry:    kept.Expiry,
		}, nil
	}
	return managedidentity.Config{
		Directory: &f.directory,
		Secret:    f.config.IdentityHeader,
		Token:     token,
		Describe: func(r *http.Request, problem *aadsts.Error) string {
			return problem.Description(f.occurrence(&bufferedResponse{header: http.Header{}}, r))
		},
		Now:   f.clock.now,
		NewID: f.random.guid,
	}
}

// managedToken makes an app-only token for a managed identity.
func (f *Fake) managedToken(
	tenant *directory.Tenant,
	identity *directory.ManagedIdentity,
	resource string,
) (string, *aadsts.Error) {
	api := f.rules.FindResource(tenant, resource)
	if resource == directory.FederatedAudience {
		api = &rules.TokenExchangeApp
	}
	switch {
	case api == nil:
		return "", aadsts.ResourceNotFound(resource, tenant.DisplayName)
	case api.Disabled:
		return "", aadsts.ResourceDisabled(resource)
	}
	client := identity.App()
	_, assigned := f.rules.AppRoles(tenant, client, api)
	if api.AssignmentRequired && !assigned {
		return "", aadsts.AppNotAssigned(client.ID, client.DisplayName, resource, api.DisplayName)
	}
	group := rules.PermissionGroup{App: api, Asked: resource}
	claims := f.claims.App(tenant, client, "2", group, managedidentity.Lifetime)
	claims["xms_mirid"] = resourceIDOf(tenant, identity) // M
	return f.accessToken(claims, tenant, api), nil
}

// resourceIDOf returns the claim xms_mirid: the identifier of a user-assigned identity, or of the
// machine that has a system-assigned one.
func resourceIDOf(tenant *directory.Tenant, identity *directory.ManagedIdentity) string {
	if identity.ResourceID != "" {
		return identity.ResourceID
	}
	kind := "Microsoft.ManagedIdentity/userAssignedIdentities"
	if identity.SystemAssigned {
		kind = "Microsoft.Compute/virtualMachines"
	}
	return "/subscriptions/" + rules.GUIDOf("subscription", tenant.ID) +
		"/resourcegroups/fakeentra/providers/" + kind + "/" + identity.DisplayName
}
