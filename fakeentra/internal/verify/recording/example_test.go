package recording_test

import (
	"bytes"
	"fmt"
	"os"

	"mcpentra/fakeentra/internal/verify/recording"
)

func ExampleNewWriter() {
	var file bytes.Buffer
	writer, err := recording.NewWriter(&file, recording.Header{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = writer.Write(recording.Exchange{Method: "GET", URL: "{authority}/common/discovery/v2.0/keys", Status: 200})
	_, _ = os.Stdout.Write(file.Bytes())
	read, err2 := recording.Read(&file)
	fmt.Println(len(read.Exchanges), err, err2)
	// Output:
	// {"format":"fakeentra recording 1"}
	// {"method":"GET","url":"{authority}/common/discovery/v2.0/keys","status":200}
	// 1 <nil> <nil>
}
