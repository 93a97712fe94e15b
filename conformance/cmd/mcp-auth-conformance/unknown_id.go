package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mcpentra/conformance/catalogue"
)

// unknownID is the error for an ID that is not known. It names the nearest ones.
func unknownID(id string, known []string) error {
	const help = "list, list --catalogue and list --advisories show the IDs"
	near := nearestIDs(id, known)
	if len(near) == 0 {
		return fmt.Errorf("there is no check, topic, requirement, attack or advisory %q; %s", id, help)
	}
	return fmt.Errorf(
		"there is no check, topic, requirement, attack or advisory %q; did you mean %s? %s",
		id,
		strings.Join(near, " or "),
		help,
	)
}

// knownIDs returns the IDs of everything that explain knows.
func (e *explainer) knownIDs() []string {
	var ids []string
	for _, rule := range e.rules {
		ids = append(ids, rule.ID, catalogue.Topic(rule.ID))
	}
	for _, entry := range catalogue.Entries() {
		ids = append(ids, entry.ID)
	}
	for _, advisory := range catalogue.Advisories() {
		ids = append(ids, advisory.Names...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// mostNear bounds the IDs that an error suggests, and longestID the text that is compared.
const (
	mostNear  = 3
	longestID = 200
)

// nearestIDs returns the known IDs that differ little from the ID, the nearest first. An ID that
// ends with it differs little, too: people leave out the first segments.
func nearestIDs(id string, known []string) []string {
	if id == "" || len(id) > longestID {
		return nil
	}
	type candidate struct {
		id    string
		edits int
	}
	var near []candidate
	for _, other := range known {
		edits := editsBetween(strings.ToLower(id), strings.ToLower(other))
		if strings.HasSuffix(other, "/"+id) {
			edits = 1
		}
		if edits <= 1+len(id)/6 {
			near = append(near, candidate{other, edits})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.edits, b.edits) })
	var ids []string
	for _, one := range near[:min(mostNear, len(near))] {
		ids = append(ids, one.id)
	}
	return ids
}

// editsBetween counts the bytes to add, remove or change to make one text of another.
func editsBetween(from, to string) int {
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(from) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(to) {
			changed := diagonal
			if from[i] != to[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}
