package workstation

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"mcpentra/conformance/doctor"
)

// maxCertificates bounds a file of certificate authorities, in bytes.
const maxCertificates = 8 << 20

// certificateFile checks SSL_CERT_FILE, which replaces the system's list of authorities except on
// macOS and Windows (crypto/x509, SystemCertPool).
func (m *machine) certificateFile(step *doctor.Step) {
	name := m.env["SSL_CERT_FILE"]
	if name == "" || m.config.OS == "darwin" || m.config.OS == "windows" {
		return
	}
	text, err := readLinked(m.absolute(name), maxCertificates)
	if err == nil && !holdsCertificate(text) {
		err = errors.New("it holds no certificate in PEM")
	}
	if err == nil {
		did(step, "SSL_CERT_FILE names the trusted certificate authorities: %s", name)
		return
	}
	step.Add(doctor.Finding{
		Code:    "certificate-file-unusable",
		Kind:    doctor.Fault,
		Seen:    fmt.Sprintf("SSL_CERT_FILE cannot be used: %v", err),
		Why:     "The client trusts the authorities in this file in place of the system's.",
		Effects: stops("it trusts no server"),
		Fixes: []doctor.Fix{
			change(environment, "remove SSL_CERT_FILE, or name a PEM file with the authorities"),
			change("command line", program+" --ca-file FILE, to trust one more authority"),
		},
	})
}

func holdsCertificate(text []byte) bool {
	for {
		block, rest := pem.Decode(bytes.TrimSpace(text))
		if block == nil {
			return false
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			return true
		}
		text = rest
	}
}

// verify checks the certificates of a host.
func (m *machine) verify(host string, chain []*x509.Certificate) error {
	options := x509.VerifyOptions{
		Roots:         m.config.Walk.RootCAs,
		Intermediates: x509.NewCertPool(),
		DNSName:       host,
		CurrentTime:   m.config.Walk.Now(),
	}
	for _, certificate := range chain[1:] {
		options.Intermediates.AddCert(certificate)
	}
	_, err := chain[0].Verify(options)
	return err
}

func isUnknownAuthority(err error) bool {
	var unknown x509.UnknownAuthorityError
	return errors.As(err, &unknown)
}

// issuerOf names the authority of a certificate.
func issuerOf(chain []*x509.Certificate) string {
	issuer := chain[0].Issuer
	if len(issuer.Organization) > 0 {
		return issuer.Organization[0]
	}
	return issuer.CommonName
}
