package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// sbom returns the software bill of materials of an archive: its programs, the modules in each, and
// Go's standard library. It is CycloneDX JSON. What it says comes from the programs themselves.
func (b *built) sbom(from *commit) ([]byte, error) {
	modules := map[string]cdx.Component{}
	var programs []cdx.Component
	var uses []cdx.Dependency
	for _, name := range b.names {
		text, err := os.ReadFile(filepath.Join(b.bin, name))
		if err != nil {
			return nil, err
		}
		hash := sha256.Sum256(text)
		program := cdx.Component{
			BOMRef:  "program:" + name,
			Type:    cdx.ComponentTypeApplication,
			Name:    name,
			Version: b.version,
			Hashes:  &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(hash[:])}},
		}
		var parts []string
		for _, component := range components(b.info[name]) {
			modules[component.BOMRef] = component
			parts = append(parts, component.BOMRef)
		}
		slices.Sort(parts)
		programs = append(programs, program)
		uses = append(uses, cdx.Dependency{Ref: program.BOMRef, Dependencies: &parts})
	}
	var libraries []cdx.Component
	for _, ref := range slices.Sorted(maps.Keys(modules)) {
		libraries = append(libraries, modules[ref])
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{
		Timestamp: from.time.Format(time.RFC3339),
		Component: &cdx.Component{
			BOMRef:     b.name(),
			Type:       cdx.ComponentTypeApplication,
			Name:       "mcpentra",
			Version:    b.version,
			Components: &programs,
			Properties: &[]cdx.Property{
				{Name: "commit", Value: from.hash},
				{Name: "platform", Value: b.system + "/" + b.machine},
			},
		},
	}
	bom.Components = &libraries
	bom.Dependencies = &uses
	var text bytes.Buffer
	err := cdx.NewBOMEncoder(&text, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6)
	return text.Bytes(), err
}

// components returns the modules in a program, and the standard library.
func components(info *buildinfo.BuildInfo) []cdx.Component {
	found := []cdx.Component{library("std", strings.TrimPrefix(info.GoVersion, "go"), "")}
	for _, module := range info.Deps {
		used := effective(module)
		found = append(found, library(used.Path, used.Version, used.Sum))
	}
	return found
}

// effective returns the module that takes the place of one with a replace line. A folder that takes
// its place has no version that others know.
func effective(module *debug.Module) *debug.Module {
	if module.Replace != nil && strings.HasPrefix(module.Replace.Version, "v") {
		return module.Replace
	}
	return module
}

// library is a Go module. The checksum is the line of go.sum: base64 of SHA-256, after "h1:".
func library(path, version, checksum string) cdx.Component {
	url := "pkg:golang/" + path + "@" + version
	component := cdx.Component{
		BOMRef:     url,
		Type:       cdx.ComponentTypeLibrary,
		Name:       path,
		Version:    version,
		Scope:      cdx.ScopeRequired,
		PackageURL: url,
	}
	hash, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(checksum, "h1:"))
	if err == nil && len(hash) == sha256.Size {
		component.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(hash)}}
	}
	return component
}
