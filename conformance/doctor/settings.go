package doctor

import (
	"strings"

	"mcpentra/conformance/doctor/clientsettings"
)

// addSettings adds the settings of clients for the server, if the walk got far enough to know them.
func (w *walk) addSettings() {
	if w.endpoint == nil || len(w.issuers) == 0 {
		return
	}
	issuer := w.issuers[0]
	documents, _ := issuer.document["client_id_metadata_document_supported"].(bool)
	hasIssuer, _ := issuer.document["authorization_response_iss_parameter_supported"].(bool)
	server := clientsettings.Server{
		URL:              w.endpoint.String(),
		ClientID:         w.config.ClientID,
		RegistersClients: text(issuer.document, "registration_endpoint") != "",
		AcceptsDocuments: documents,
		Entra:            issuer.isEntra,
		OmitsIssuer:      !hasIssuer,
	}
	if w.config.ClientID != "" || issuer.isEntra {
		server.Scopes = w.scopes()
	}
	if w.config.RedirectURI != "" {
		server.RedirectURIs = []string{w.config.RedirectURI}
	}
	sheet, err := clientsettings.For(server)
	if err != nil {
		return // the URL cannot be written into settings
	}
	w.report.Notes = sheet.Notes
	for _, one := range sheet.Settings {
		notes := one.Notes
		if one.Cannot != "" {
			notes = append([]string{one.Cannot}, notes...)
		}
		w.report.Settings = append(w.report.Settings, Settings{
			Client: one.Client,
			File:   one.Where,
			Text:   one.Text,
			Note:   strings.Join(notes, " "),
		})
	}
}
