// Zitadel is the example server of zitadel/oidc. Its clients are registered beforehand.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// A slowStore takes as long for new tokens as a database. Without that, the outcome of a race for a
// code changes from run to run.
type slowStore struct{ *storage.Storage }

// CreateAccessAndRefreshTokens implements op.Storage.
func (s slowStore) CreateAccessAndRefreshTokens(
	ctx context.Context, request op.TokenRequest, refresh string,
) (string, string, time.Time, error) {
	time.Sleep(50 * time.Millisecond)
	return s.Storage.CreateAccessAndRefreshTokens(ctx, request, refresh)
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	issuer := "http://" + listener.Addr().String()
	const redirect = "http://127.0.0.1:33418/callback"
	storage.RegisterClients(
		storage.NativeClient("native", redirect),
		storage.NativeClient("second", redirect),
		storage.WebClient("web", "secret-of-the-web-client", redirect),
	)
	store := slowStore{storage.NewStorage(storage.NewUserStore(issuer))}
	// The default encryption has no integrity. Now and then it takes a refresh token for an access
	// token, and the verdict on revocation changes from run to run.
	encryption := op.WithCrypto(op.NewAES256GCMCrypto([32]byte{1}, "key-1"))
	router := exampleop.SetupServer(issuer, store, slog.New(slog.DiscardHandler), false, encryption)
	fmt.Println("listening on " + issuer)
	log.Fatal(http.Serve(listener, router))
}
