// Package inputs tries several inputs of one check. They break its rule in different ways.
package inputs
