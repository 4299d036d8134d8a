package wepay

import _ "embed"

// OpenAPI is the description of this dialect in OpenAPI 3.1, as YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte
