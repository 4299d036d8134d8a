package alipay

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"testing"
	"time"
)

// vector is one of the published test vectors (section 8 of the specification
// this package follows). PKCS #1 v1.5 is deterministic: values match exactly.
type vector struct {
	name, target, at, body, sum, signature string
	server                                 bool // signed with the server's key
}

const vectorClient = "MERCHANT_CAPSTAN_01"

var vectors = []vector{
	{
		name: "V1 request", target: "/v2/payments/capture", at: "2026-01-15T12:00:00.000+08:00",
		body:      `{"captureRequestId":"cap-vec-0001","paymentId":"2026011519074101000700000000001","captureAmount":{"value":"1000","currency":"USD"},"isLastCapture":false}`,
		sum:       "f18367fa157d1cd6b10e1a16b344046f71431322e5f7aa6ade769fef4a65a865",
		signature: "GEE8WW6E2NohRJ5dUyBcXWjJP%2F4B3rHW788xDXby85u6t%2FqVVGOe93DC25olmuiUP0VBgql4Xoo4S0Lek%2BsKaDlbRMyNOxxWXlSBZmq49KVaCKeB5AcvHF2bRI%2FBOrrGnhW9w3G7al4Ho18CMBaMiPx3N9JyVHVS8yr0tr1cmuYim9JjgrhAjazBqn%2FqphM9CPP%2FB6U1hEr9k2Ej3c3UKebvP%2Bx2mtRenJ6nYXajd1N0T5ZOlrF5Cf7UitdBZi90bVszQVQjXrYMtzGoC7r5AB0YVsWs%2BrPSC4oafMko3HtesrcvO0SSz%2BQzQpu6Zb7ep6kc9plRBE0Jr%2FT%2BSiktzw%3D%3D",
	},
	{
		name: "V2 response", target: "/v2/payments/capture", at: "2026-01-15T12:00:01+08:00", server: true,
		body:      `{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"},"captureRequestId":"cap-vec-0001","captureId":"202601151200000100070000000001","paymentId":"2026011519074101000700000000001","captureAmount":{"value":"1000","currency":"USD"},"captureTime":"2026-01-15T12:00:00+08:00"}`,
		sum:       "8f185f6b5ae2929c47731d79bb4b0b5bd45baa4ba86ec71241b4bcd1d040c4bc",
		signature: "djKDDFEd8yX905II0WlcKpkaDy44h5LiNBzKVpbYFr6AgfDXEKle6JfIfB72BV16XAh7kB7nnKLyvCxNiECROb%2F5nOif1oW11CLkbUPudOPfTGemmLEMVcyLd5tuyv%2F%2BPxEvYtbrekOznMSpCuLNjrwaxX72VovSZSmxIazz7VUQaFs9xHw8b9VH4sIv5V%2B7DPVV%2FaHMe7NuhNTdFgkHauxR3zo%2Fp2Xlrl1hZsY7qrDTYrTLgQdAYjGjRSpDKo3Nm%2BI0CRpBXC2Zy%2Bo5uPQ%2F9Rw2S8K3yjZmeeidAE%2FtB2%2FSIFVXReI4NXuZ6Di7FE1bYAP%2F6YsY9WSIGV2UQXLEIA%3D%3D",
	},
	{
		name: "V3 request of an SDK", target: "/ams/api/v1/payments/capture", at: "1768449600000",
		body:      "{\n   \"captureRequestId\": \"cap-vec-0003\",\n   \"paymentId\": \"2026011519074101000700000000001\",\n   \"extendInfo\": \"café ✓ \\u003c1\\u003e\"\n}\n",
		sum:       "cca83e7c9e663c463f04bf36d142cd5d31585254c46e31e2b328a51987c7e079",
		signature: "PeezvULg25NssZZFWG79SfYoKo5arNvOnJrTUaWc4vMz8Lfj1STGjhjL95uI1fQLKmebjCQw435Pxlm1jUVnCs2PbAa3v5UowPc4bkogvD9urmTbNAk260Ytp9QSjJL12zFvOHzkfF0coQT4HrVXqEkSfgkgLSivdiHLw8zezLaXzLOBbLUFBWfgjM3Kef23y5A2E7AEIf7N9xFOuYQK9FgbhpuinmYZoZZI3CMY5lssTr%2BVG0huibPsshhXg5ux4nLNE4yZ%2FXFvJnv3l6YKUMvK8PjFIxovfVlaPrY2XjFEMrExgnhZW5RyMGKQ7vBBTZ2D4iUsE8qOkKvrp%2Fzggw%3D%3D",
	},
	{
		name: "V4 notification", target: "/hooks/alipay?shop=7", at: "2026-01-15T12:00:02+08:00", server: true,
		body:      `{"paymentId":"2026011519074101000700000000001","paymentRequestId":"pay-vec-0001","paymentResult":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"},"paymentAmount":{"value":"1000","currency":"USD"},"paymentTime":"2026-01-15T11:59:00+08:00","paymentCreateTime":"2026-01-15T11:58:30+08:00"}`,
		sum:       "2faa33b012534e3a1b3157c085c2e09a30615c07620aa294287bfea1000acf73",
		signature: "UvFywuxLKme8LWj%2BHbaJzXv2U0aP0QdqDojF9AIlm21SaGk9LMUKzgnx%2BwtyqluALpS%2FlEeoRF87UlMm6kCLXXs60DIsWOk8H%2Fr1p4qkxZOAgYW6AWkjBzFtmR3OEUSdy%2FICmWhPcgUPv%2Fn10c%2BxRsnISGasF8fH88EQ8P%2BRCwBnrb6BxdI35bfCjBmnN%2BG8ZvRmTgfrrfs84v35sqMJtM1e6FOK%2BZIU7ziUrxODi4ginDKXopX79kMjKQCmJeP%2BLkoxIetVzSV9FOxDRq0CrjLKjlLdeTpoY%2FK9Dp6VJcr02jhOLYCiBTjWRQbMrzqvuqJ488DirlIKyFAUtGqmoA%3D%3D",
	},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			key, err := publishedMerchant()
			if v.server {
				key, err = publishedServer()
			}
			if err != nil {
				t.Fatal(err)
			}
			sum := digest("POST", v.target, vectorClient, v.at, []byte(v.body))
			if got := hex.EncodeToString(sum[:]); got != v.sum {
				t.Fatalf("digest %s, want %s", got, v.sum)
			}
			got, err := newSigner(1).sign(key, sum)
			if err != nil || got != v.signature {
				t.Errorf("signature\n%s, want\n%s (%v)", got, v.signature, err)
			}
			raw, ok := decodeSignature(v.signature)
			if !ok || rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], raw) != nil {
				t.Error("the vector's signature does not verify")
			}
			sum[0] ^= 1
			if rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], raw) == nil {
				t.Error("the signature verifies for something else")
			}
		})
	}
}

// TestDecodeSignature: the forms in which clients send the same bytes.
func TestDecodeSignature(t *testing.T) {
	raw := []byte{0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff, 0x00}
	for name, value := range map[string]string{
		"percent-encoded":         "%2B%2B%2B%2B%2F%2F%2F%2FAA%3D%3D",
		"lower-case escapes":      "%2b%2b%2b%2b%2f%2f%2f%2fAA%3d%3d",
		"escaped in part":         "++%2B+%2F///AA==",
		"plain base64":            "++++////AA==",
		"base64url":               "----____AA",
		"base64url, with padding": "----____AA==",
	} {
		if got, ok := decodeSignature(value); !ok || string(got) != string(raw) {
			t.Errorf("%s: %x, %t", name, got, ok)
		}
	}
	for _, value := range []string{"", "=", "%", "%2", "%zz", "A", "AA AA", "AA.AA", "AA\x00A"} {
		if got, ok := decodeSignature(value); ok {
			t.Errorf("%q is %x", value, got)
		}
	}
}

func TestParseSignature(t *testing.T) {
	for header, want := range map[string]signatureHeader{
		"algorithm=RSA256, keyVersion=1, signature=a%3D": {"RSA256", "1", "a%3D"},
		"algorithm=rsa256,keyVersion=2,signature=aa==":   {"rsa256", "2", "aa=="},
		"signature=x":                          {"RSA256", "", "x"},
		" signature = x ,keyVersion= 3 ":       {"RSA256", "3", "x"},
		"signature=x,signature=y,keyVersion=1": {"RSA256", "1", "x"},
		"keyVersion=1,signature=x,algorithm=":  {"", "1", "x"},
		"SIGNATURE=x,KEYVERSION=4":             {"RSA256", "4", "x"},
		"junk,,signature=x,more=1":             {"RSA256", "", "x"},
		"signature=":                           {"RSA256", "", ""},
	} {
		if got, ok := parseSignature(header); !ok || got != want {
			t.Errorf("%q: %+v, %t, want %+v", header, got, ok, want)
		}
	}
	for _, header := range []string{"", "algorithm=RSA256, keyVersion=1", "signature", "x-signature=y", "signature:x"} {
		if got, ok := parseSignature(header); ok {
			t.Errorf("%q: %+v", header, got)
		}
	}
}

func FuzzSignatureHeader(f *testing.F) {
	for _, v := range vectors {
		f.Add("algorithm=RSA256, keyVersion=1, signature=" + v.signature)
	}
	f.Add("signature=----____AA,keyVersion=x,algorithm=ECC")
	f.Fuzz(func(t *testing.T, header string) {
		s, ok := parseSignature(header)
		if !ok && s.value != "" {
			t.Errorf("a value without a signature part: %+v", s)
		}
		raw, ok := decodeSignature(s.value)
		if !ok {
			return
		}
		again, ok := decodeSignature(encodeSignature(raw))
		if !ok || string(again) != string(raw) {
			t.Errorf("%x came back as %x", raw, again)
		}
		if plain, ok := decodeSignature(base64.StdEncoding.EncodeToString(raw)); !ok || string(plain) != string(raw) {
			t.Errorf("%x came back as %x", raw, plain)
		}
	})
}

// TestPublicKey: a version that has ended is no key, named or not.
func TestPublicKey(t *testing.T) {
	first, err := publishedMerchant()
	if err != nil {
		t.Fatal(err)
	}
	second, err := publishedServer()
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	c := &client{keys: map[int]publicKey{1: {PublicKey: &first.PublicKey}, 2: {PublicKey: &second.PublicKey, until: end}}}
	for _, test := range []struct {
		version string
		at      time.Time
		want    *rsa.PublicKey
	}{
		{"", end.Add(-1), &second.PublicKey}, {"", end, &first.PublicKey}, {"1", end, &first.PublicKey}, {"2", end.Add(-1), &second.PublicKey}, {"2", end, nil},
		{"3", end, nil}, {"0", end, nil}, {"x", end, nil}, {"-1", end, nil}, {"4294967297", end, nil}, {"99999999999999999999", end, nil}, {" ", end, nil},
	} {
		if got := c.publicKey(test.version, test.at); got != test.want {
			t.Errorf("version %q at %s: %v", test.version, test.at, got)
		}
	}
	if got := new(client).publicKey("", end); got != nil {
		t.Errorf("no keys: %v", got)
	}
}
