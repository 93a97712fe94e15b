// Package schematest holds JSON reports to their JSON Schema in tests.
package schematest
