// Package twins holds servers that are broken on purpose, each in one way that one check is there to find. They prove that a check can fail.
package twins
