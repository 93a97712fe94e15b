package clientsettings_test

import (
	"fmt"
	"log"

	"mcpentra/conformance/doctor/clientsettings"
)

func ExampleFor() {
	sheet, err := clientsettings.For(clientsettings.Server{
		Name:             "entra",
		URL:              "https://mcp.example.com/mcp",
		RegistersClients: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, settings := range sheet.Settings {
		if settings.Client == "Claude Code" {
			fmt.Println(settings.Text)
		}
	}
	// Output:
	// claude mcp add --transport http entra https://mcp.example.com/mcp
	// claude mcp login entra
}
