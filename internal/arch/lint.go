package arch

import (
	"fmt"
	"strings"
)

// Depguard renders the rules for golangci-lint's depguard, as the members of
// its "rules", indented by eight spaces.
func Depguard() string {
	var b strings.Builder
	for _, r := range Rules {
		if r.Imports == "**" {
			continue
		}
		fmt.Fprintf(&b, "        %s:\n", ruleName(r.Packages))
		fmt.Fprintf(&b, "          list-mode: lax\n          files:\n            - %q\n", ruleFiles(r.Packages))
		for _, except := range exceptions(r) {
			fmt.Fprintf(&b, "            - %q\n", "!"+ruleFiles(except))
		}
		b.WriteString("            - \"!$test\"\n")
		if imports := strings.Fields(r.Imports); len(imports) > 0 {
			b.WriteString("          allow:\n")
			for _, p := range imports {
				if folder, ok := strings.CutSuffix(p, "*"); ok {
					fmt.Fprintf(&b, "            - %s/%s\n", Module, folder)
				} else {
					fmt.Fprintf(&b, "            - %s/%s$\n", Module, p)
				}
			}
		}
		fmt.Fprintf(&b, "          deny:\n            - pkg: %s\n              desc: %q\n", Module, r.Because)
	}
	return b.String()
}

// exceptions are the packages that a rule's pattern takes in but that an
// earlier rule speaks of.
func exceptions(r Rule) []string {
	var out []string
	for _, earlier := range Rules {
		if earlier.Packages == r.Packages {
			return out
		}
		if matches(r.Packages, earlier.Packages) {
			out = append(out, earlier.Packages)
		}
	}
	return out
}

func ruleName(pattern string) string {
	if pattern == "" {
		return "root"
	}
	return strings.NewReplacer("/*", "-any", "/", "-").Replace(pattern)
}

// ruleFiles is depguard's pattern for the files of a package.
func ruleFiles(pattern string) string {
	if pattern == "" {
		return "${base-path}/*.go"
	}
	return "${base-path}/" + pattern + "/*.go"
}
