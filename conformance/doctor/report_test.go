package doctor_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/doctor"
)

// TestAddCopiesLists changes a report. Many findings of many reports have the same lists.
func TestAddCopiesLists(t *testing.T) {
	t.Parallel()
	effects := []doctor.Effect{{Client: "VS Code", How: "it stops"}}
	fixes := []doctor.Fix{{Place: doctor.Person, Text: "sign in again"}}
	var step doctor.Step
	for range 2 {
		step.Add(doctor.Finding{Code: "a", Effects: effects, Fixes: fixes})
	}
	step.Findings[0].Effects[0].How = "changed"
	step.Findings[0].Fixes[0].Text = "changed"
	assert.Equal(t, "it stops", step.Findings[1].Effects[0].How)
	assert.Equal(t, "sign in again", step.Findings[1].Fixes[0].Text)
	assert.Equal(t, "it stops", effects[0].How)
	assert.Equal(t, "sign in again", fixes[0].Text)
}
