// Package managedidentity proves an app registration by an Azure managed identity. The registration
// needs no secret: it lists the identity as a federated credential ("Configure an application to
// trust a managed identity").
//
// The package links Azure's SDK. Programs that run elsewhere need not import it.
package managedidentity
