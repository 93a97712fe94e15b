// Package recording holds requests to Entra ID and its answers with every secret, ID, time and name
// masked, and reads and writes them as a file. See package mask for the masks.
package recording
