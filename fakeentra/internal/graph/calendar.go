package graph

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"mcpentra/fakeentra/directory"
)

// defaultEvents is the number of appointments of a page without $top.
const defaultEvents = 10

// A moment is a point in time in the form of Graph's calendars.
type moment struct {
	Time string `json:"dateTime"`
	Zone string `json:"timeZone"`
}

// listEvents lists the caller's appointments. Calendars page by $skip.
func (c *call) listEvents() {
	values, wrong := c.options("$top", "$skip", "$select")
	numbers := map[string]int{"$top": defaultEvents, "$skip": 0}
	for name := range numbers {
		text := values.Get(name)
		if wrong != nil || text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		isPageSize := n > 0 && n <= maxTop
		if err != nil || n < 0 || name == "$top" && !isPageSize {
			wrong = badRequest("Invalid value '%s' for '%s' query option.", text, name)
		}
		numbers[name] = n
	}
	if wrong != nil {
		c.failWith(wrong)
		return
	}
	events := c.person.Events
	start := min(numbers["$skip"], len(events))
	end := min(start+numbers["$top"], len(events))
	page := object{{"@odata.context", c.context("users('" + c.person.ID + "')/events")}}
	if end < len(events) {
		next := fmt.Sprintf("%s%s?$top=%d&$skip=%d", c.Origin, c.r.URL.Path, numbers["$top"], end)
		page = append(page, member{"@odata.nextLink", next})
	}
	value := []object{}
	for i, event := range events[start:end] {
		value = append(value, object{
			{"id", eventID(start+i, event)},
			{"subject", event.Subject},
			{"isAllDay", false},
			{"location", object{{"displayName", event.Location}}},
			{"start", momentOf(event.Start)},
			{"end", momentOf(event.End)},
		}.only(names(values.Get("$select"))))
	}
	c.write(http.StatusOK, append(page, member{"value", value}))
}

func momentOf(at time.Time) moment {
	return moment{at.UTC().Format("2006-01-02T15:04:05.0000000"), "UTC"}
}

func eventID(index int, event directory.Event) string {
	if event.ID != "" {
		return event.ID
	}
	return fmt.Sprintf("AAMkAGI-event-%d", index+1)
}
