package webhook

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/outbox"
)

// MessageID names a message to whoever gets it, the same at every attempt and
// every endpoint.
func MessageID(keys *keyring.Keyring, n outbox.NoticeID) string {
	name := binary.BigEndian.AppendUint64(nil, uint64(n.Payment))
	name = append(binary.BigEndian.AppendUint32(name, uint32(n.Version)), byte(n.Number))
	sum := keys.MAC("webhook message id", name, []byte(n.Dialect))
	return "msg_" + hex.EncodeToString(sum[:12])
}
