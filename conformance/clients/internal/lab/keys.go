package lab

import "net/http"

// modulus is of an RSA key of 2048 bits whose private half is unknown. The lab signs nothing.
const modulus = "oNVINq4T5-yzDua6_msIAwMIrJMf9CJZS2qtiUP3AU8dB27jC2igrOfDt-lie78agLIAtX_bgS2n3R5JVv5lrm" +
	"-dYPVPyE0AcMHktsBrlzArjLzq8vR3l5SkUpKM29md0Pl1juUujDB3u8CdPnwpQ2K3MJ-qdu_6Qa0JnhbTlnAr" +
	"0aLWj8rfiz6cpVk0qZ6tsgW7kpZgfSC-cQ-k6w-FUPV9Ded3WVzdb3Rl3bsYQxD_kzaMMRhK2bJ1YVwvyzBEMu" +
	"yDjaolipuwFFR56rvhyE5U7O-tcQ92n57z6yhZ-Eq9j1C_0MSPoH-qoaPaZyvCmDE9Q8E70xGylaJBQemAJQ"

// serveKeys answers with the public keys of the authorization servers (RFC 7517 section 5).
func (l *Lab) serveKeys(w http.ResponseWriter) {
	key := map[string]any{"kty": "RSA", "kid": "lab", "use": "sig", "alg": "RS256", "n": modulus, "e": "AQAB"}
	write(w, http.StatusOK, map[string]any{"keys": []any{key}})
}
