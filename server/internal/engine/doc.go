// Package engine starts database engines for tests, as processes of their own.
//
// Each engine keeps its data in a temporary folder and ends with the test process, even if that is
// killed. A test that needs a missing program is skipped, and fails where CI is set.
package engine
