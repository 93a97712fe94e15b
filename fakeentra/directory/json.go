package directory

import (
	"encoding/json"
	"reflect"
	"time"
)

// MarshalJSON writes a directory in the format of a directory file, without empty values.
func (d Directory) MarshalJSON() ([]byte, error) { return json.Marshal(plain(reflect.ValueOf(d))) }

// UnmarshalJSON reads a directory like Parse, without faults.
func (d *Directory) UnmarshalJSON(text []byte) error {
	file, err := Parse("directory", text)
	if err != nil {
		return err
	}
	*d = file.Directory()
	return nil
}

// plain converts a value to maps and lists. The names come from the yaml tags.
func plain(value reflect.Value) any {
	switch {
	case value.Type() == typeTime:
		return value.Interface().(time.Time).Format(time.RFC3339)
	case value.Kind() == reflect.Slice:
		list := make([]any, value.Len())
		for i := range list {
			list[i] = plain(value.Index(i))
		}
		return list
	case value.Kind() != reflect.Struct:
		return value.Interface()
	}
	object := map[string]any{}
	for i := range value.NumField() {
		if name := value.Type().Field(i).Tag.Get("yaml"); !value.Field(i).IsZero() {
			object[name] = plain(value.Field(i))
		}
	}
	return object
}
