// Package entra holds facts about the answers of Entra ID as data, each with its source and
// confidence.
package entra

import _ "embed" // the data

// Requests lists the requests of fakeentra verify, in YAML. Facts are about their answers.
//
//go:embed requests.yaml
var Requests []byte

// Facts lists the facts about the answers, in columns separated by tabs: request, aspect,
// confidence, source and the masked value.
//
//go:embed facts.tsv
var Facts string
