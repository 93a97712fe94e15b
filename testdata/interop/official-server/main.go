// Official-server listens with the fixture server of the official conformance suite, without
// protection, for tries by hand.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"mcpentra/testdata/interop/official-server/fixture"
)

func main() {
	address := flag.String("addr", "localhost:3000", "listen on `HOST:PORT`")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		fmt.Fprintln(os.Stderr, "official-server:", err)
		os.Exit(2)
	}
	fmt.Printf("http://%s/mcp\n", listener.Addr())
	mux := http.NewServeMux()
	mux.Handle("/mcp", fixture.Handler())
	server := http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, "official-server:", server.Serve(listener))
	os.Exit(2)
}
