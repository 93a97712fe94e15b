package acceptance_test

import (
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mcpentra/server/broker"
)

// administer ends the grants of a person, of a program, or of both, as an administrator does.
func (h *history) administer(t *rapid.T) {
	if !oneIn(t, 3, "really") {
		return
	}
	person := rapid.IntRange(0, 2).Draw(t, "person or all")
	var program *modelProgram
	filter := broker.GrantFilter{}
	if person != 0 {
		filter.User = objectID(person)
	}
	if person == 0 || oneIn(t, 2, "one program") {
		program = draw(t, "program", h.programs)
		filter.ClientID = program.id
	}
	replica := h.replica(t)
	ended, err := h.replicas[replica].EndGrants(t.Context(), filter, "the administrator")
	require.NoError(t, err)
	isSelected := func(of int, p *modelProgram) bool {
		return of != 0 && (person == 0 || of == person) && (program == nil || p == program)
	}
	require.Equal(t, h.endSelected(isSelected, replica), ended)
	h.deletePending(isSelected)
}

// endSelected ends grants, and returns their number.
func (h *history) endSelected(isSelected func(person int, p *modelProgram) bool, replica int) (ended int) {
	for _, g := range h.grants {
		if isSelected(g.person, g.program) && g.alive(h.now()) {
			h.steal(g, replica) // the consent ends as well
			ended++
		}
	}
	return ended
}

// deletePending deletes all from which a grant of a person who has signed in could come.
func (h *history) deletePending(isSelected func(person int, p *modelProgram) bool) {
	for _, code := range h.codes {
		code.deleted = code.deleted || isSelected(code.person, code.program)
	}
	for _, d := range h.devices {
		d.deleted = d.deleted || isSelected(d.person, d.program)
	}
	for _, flow := range h.flows {
		if isSelected(flow.person, flow.program) {
			flow.until = h.now() // no consent page of the person counts any more
		}
	}
}
