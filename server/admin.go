package server

import (
	"errors"
	"net/http"

	"mcpentra/server/admin"
)

// NewAdmin makes the API with which administrators see and end grants (package admin). Serve it on
// a listener of its own. The Config needs no Broker. Direct mode has no grants, so it has no API.
func (s *Server) NewAdmin(config admin.Config) (http.Handler, error) {
	mode, ok := s.mode.(*brokerMode)
	if !ok {
		return nil, errors.New("server: direct mode has no grants, so it has no admin API")
	}
	config.Broker = mode.broker
	return admin.New(config)
}
