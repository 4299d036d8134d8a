package alipay

import (
	"crypto/rsa"
	_ "embed"
	"encoding/pem"
	"errors"
	"sync"
)

// The keys of the sandbox are published with the test vectors of this API.
// Everybody has them: they guard nothing, and are never used in live mode.
var (
	//go:embed published_merchant_key.pem
	publishedMerchantKey string
	//go:embed published_server_key.pem
	publishedServerKey string
)

// publishedVersion is the key version of both.
const publishedVersion = "1"

// publishedMerchant and publishedServer read them, once.
var (
	publishedMerchant = sync.OnceValues(func() (*rsa.PrivateKey, error) { return parsePrivatePEM(publishedMerchantKey) })
	publishedServer   = sync.OnceValues(func() (*rsa.PrivateKey, error) { return parsePrivatePEM(publishedServerKey) })
)

func parsePrivatePEM(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("not PEM")
	}
	return parsePrivateDER(block.Bytes)
}
