package directory

import "strings"

// HasName reports whether a name is the tenant's ID or one of its domains. It ignores case.
func (t *Tenant) HasName(name string) bool {
	return strings.EqualFold(t.ID, name) || contains(t.Domains, name)
}

// Group finds a group by its object ID.
func (t *Tenant) Group(id string) *Group {
	for i := range t.Groups {
		if strings.EqualFold(t.Groups[i].ID, id) {
			return &t.Groups[i]
		}
	}
	return nil
}

// GroupsOf returns the groups that have a user or group as a member.
func (t *Tenant) GroupsOf(id string) []*Group {
	var found []*Group
	for i := range t.Groups {
		if contains(t.Groups[i].Members, id) {
			found = append(found, &t.Groups[i])
		}
	}
	return found
}

// AllGroupsOf returns the groups of a user or group, and the groups of those groups.
func (t *Tenant) AllGroupsOf(id string) []*Group {
	held := map[string]bool{strings.ToLower(id): true}
	isFound := make([]bool, len(t.Groups))
	for grows := true; grows; {
		grows = false
		for i := range t.Groups {
			if isFound[i] || !hasMember(&t.Groups[i], held) {
				continue
			}
			isFound[i] = true
			grows = true
			held[strings.ToLower(t.Groups[i].ID)] = true
		}
	}
	var found []*Group
	for i := range t.Groups {
		if isFound[i] && !strings.EqualFold(t.Groups[i].ID, id) {
			found = append(found, &t.Groups[i])
		}
	}
	return found
}

// hasMember reports whether a group has a member with one of the IDs, which are in lower case.
func hasMember(group *Group, ids map[string]bool) bool {
	for _, member := range group.Members {
		if ids[strings.ToLower(member)] {
			return true
		}
	}
	return false
}

// GroupsIn returns the groups that are members of a group, and their groups.
func (t *Tenant) GroupsIn(id string) []*Group {
	seen := map[string]bool{strings.ToLower(id): true}
	var found []*Group
	queue := []*Group{t.Group(id)}
	for len(queue) > 0 {
		group := queue[0]
		queue = queue[1:]
		if group == nil {
			continue
		}
		for _, member := range group.Members {
			inner := t.Group(member)
			if key := strings.ToLower(member); inner != nil && !seen[key] {
				seen[key] = true
				found = append(found, inner)
				queue = append(queue, inner)
			}
		}
	}
	return found
}
