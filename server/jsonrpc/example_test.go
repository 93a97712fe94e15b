package jsonrpc_test

import (
	"fmt"

	"mcpentra/server/jsonrpc"
)

func Example() {
	for _, body := range []string{
		`{ "jsonrpc": "2.0", "id": 1, "method": "tools\/list" }`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call"}`,
	} {
		var message jsonrpc.Message
		_, refused := jsonrpc.Decode([]byte(body), &message)
		if refused != nil {
			fmt.Println(refused.Code, refused.Message)
			continue
		}
		fmt.Println(message.Encoded)
	}
	// Output:
	// {"jsonrpc":"2.0","id":1,"method":"tools/list"}
	// -32600 the message is not a JSON-RPC object, or has a name that differs from another only by case
}
