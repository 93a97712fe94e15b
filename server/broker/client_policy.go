package broker

// A ClientPolicy decides which clients can use the broker, and how. The zero value lets every
// client register itself.
type ClientPolicy struct {
	// File names a JSON file with the clients that the operator registers. People's browsers
	// return to their redirect URIs without a click. The broker reads the file again while it runs,
	// and refuses a file that other users can write. Empty means no client.
	File string
	// Documents decides about clients whose ID is the URL of their metadata.
	Documents DocumentPolicy
}
