// Package verify sends the same requests to a fake and to a tenant of Entra ID, and compares the
// answers.
package verify
