// Package managedidentity serves the endpoints where programs in Azure get tokens without a secret:
// the Instance Metadata Service (IMDS) of virtual machines, and the endpoint of App Service.
package managedidentity
