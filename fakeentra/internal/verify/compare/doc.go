// Package compare compares two masked answers to the same request, one fact at a time.
package compare
