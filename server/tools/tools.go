package tools

import (
	"context"
	"log/slog"
	"net/http"

	"mcpentra/server/entra"
	"mcpentra/server/guard"
)

// Config wires the tools to what they need.
type Config struct {
	Name, Version string
	GraphToken    func(ctx context.Context, id *guard.Identity) (string, error)
	Me            func(ctx context.Context, graphToken string) (*entra.Profile, error)
	Logger        *slog.Logger
}

// Handler serves the tools over Streamable HTTP.
func Handler(cfg Config) http.Handler { return http.NotFoundHandler() }
