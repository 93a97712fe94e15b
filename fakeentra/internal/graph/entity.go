package graph

import (
	"bytes"
	"encoding/json"
	"slices"
)

// An object is a JSON object whose members stay in their order.
type object []member

// A member is a name with its value.
type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	text.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			text.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := marshal(m.value)
		if err != nil {
			return nil, err
		}
		text.Write(name)
		text.WriteByte(':')
		text.Write(value)
	}
	text.WriteByte('}')
	return text.Bytes(), nil
}

// marshal writes JSON with &, < and > as they are, like Graph.
func marshal(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}

// An entity is a user or a group, with its properties in Graph's order.
type entity struct {
	kind       kind
	properties []property
}

// A kind is a type of Graph, without its namespace.
type kind string

const (
	kindUser  kind = "user"
	kindGroup kind = "group"
)

// A property of an entity. A text without a value is null.
type property struct {
	name  string
	value any // string, bool, []string or nil
	form  form
	extra bool // only with $select
}

// A form is the type of a property's values.
type form int

const (
	formText form = iota
	formFlag
	formList
)

// text makes a property that is null if it is empty.
func text(name, value string) property {
	if value == "" {
		return property{name: name}
	}
	return property{name: name, value: value}
}

func flag(name string, value bool) property {
	return property{name: name, value: value, form: formFlag}
}

func list(name string, values []string) property {
	if values == nil {
		values = []string{}
	}
	return property{name: name, value: values, form: formList}
}

// selectable makes a property that only $select returns.
func selectable(p property) property {
	p.extra = true
	return p
}

// find returns a property by its name, or nil.
func (e *entity) find(name string) *property {
	for i := range e.properties {
		if e.properties[i].name == name {
			return &e.properties[i]
		}
	}
	return nil
}

// object returns the properties to send: those in $select, or else the usual ones. Graph ignores
// unknown names. Typed adds @odata.type, for collections of several kinds.
func (e *entity) object(selected []string, typed bool) object {
	var sent object
	if typed {
		sent = append(sent, member{"@odata.type", "#microsoft.graph." + string(e.kind)})
	}
	for _, p := range e.properties {
		if isSent := !p.extra; len(selected) > 0 {
			isSent = slices.Contains(selected, p.name)
			if !isSent {
				continue
			}
		} else if !isSent {
			continue
		}
		sent = append(sent, member{p.name, p.value})
	}
	return sent
}

// limit sets the properties to null that a caller without the permission must not see.
func (e *entity) limit(visible ...string) {
	for i := range e.properties {
		if !slices.Contains(visible, e.properties[i].name) {
			e.properties[i].value = nil
		}
	}
}

// only returns the members with some names, or all members without a name.
func (o object) only(names []string) object {
	if len(names) == 0 {
		return o
	}
	return slices.DeleteFunc(o, func(m member) bool { return !slices.Contains(names, m.name) })
}
