package main

// clientPolicyKeys are the settings of the clients of broker mode. In direct mode they are an
// error, because Entra decides about clients there.
var clientPolicyKeys = []string{"AUTH_CLIENTS_FILE"}

// readClients reads which clients can use the broker.
func (s *settings) readClients() error {
	if s.direct != nil {
		for _, key := range clientPolicyKeys {
			if s.get(key) != "" {
				return s.wrong(key, "is for AUTH_MODE=broker: in direct mode clients are registered at Entra; "+
					"remove it")
			}
		}
		return nil
	}
	s.clients.File = s.get("AUTH_CLIENTS_FILE")
	return nil
}
