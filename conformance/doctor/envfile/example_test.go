package envfile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"mcpentra/conformance/doctor/envfile"
)

func ExampleExamine() {
	folder, err := os.MkdirTemp("", "settings")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, ".env")
	if err := os.WriteFile(file, []byte("AUTH_TENANT_ID=common\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	report, err := envfile.Examine(context.Background(), envfile.Config{File: file})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range report.Steps {
		for _, finding := range step.Findings {
			fmt.Println(finding.Kind, finding.Seen)
		}
	}
	// Output:
	// fine every line can be read, and every name is a setting
	// fault AUTH_TENANT_ID (line 1) is common, which means many tenants
	// fault AUTH_CLIENT_ID is missing
	// fault no credential is set
}
