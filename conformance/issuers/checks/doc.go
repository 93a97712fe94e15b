// Package checks holds the checks of authorization servers. The second segment of a check's ID
// names its file: authorization-server/metadata/published is in metadata.go or in a file that
// begins with metadata_. A check's func has the name of its ID: metadataPublished.
// .github/CONTRIBUTING.md says how to add a check.
package checks
