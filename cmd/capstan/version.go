package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by release builds.
var version = "0.1.0-dev"

type versionCommand struct {
	JSON bool `help:"Print JSON." name:"json"`
}

func (c versionCommand) Help() string { return "Example: capstan version --json" }

// Run prints the version, the commit it was built from and Go's version.
func (c versionCommand) Run(o *output) error {
	commit := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	if c.JSON {
		return json.NewEncoder(o.out).Encode(map[string]string{"version": version, "commit": commit, "go": runtime.Version()})
	}
	_, err := fmt.Fprintf(o.out, "capstan %s (commit %s, %s)\n", version, commit, runtime.Version())
	return err
}
