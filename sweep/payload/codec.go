package payload

import (
	"fmt"
	"strings"

	"go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/proto"
)

// What the metadata of an encrypted payload say. They are not secret.
const (
	metaEncoding  = "encoding"
	metaKey       = "encryption-key-id"
	encodingValue = "binary/encrypted"
)

// An UnreadableError says why a payload cannot be decrypted. Nothing of what it holds is in the text.
type UnreadableError struct{ why string }

func (e *UnreadableError) Error() string { return e.why }

// encrypt returns a payload that holds p encrypted with the first key; p itself if there are no keys. A payload that is
// encrypted stays as it is: a call that is tried again passes through here again.
func (k *Keys) encrypt(p *common.Payload) (*common.Payload, error) {
	if !k.Any() || p == nil || isEncrypted(p) {
		return p, nil
	}
	plain, err := proto.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encrypt a payload: %w", err)
	}
	with := k.list[0]
	return &common.Payload{
		Metadata: map[string][]byte{metaEncoding: []byte(encodingValue), metaKey: []byte(with.id)},
		Data:     with.aead.Seal(nil, nil, plain, []byte(with.id)),
	}, nil
}

// decrypt is the inverse of encrypt. A payload that is not encrypted is returned as it is. The error is an
// UnreadableError.
func (k *Keys) decrypt(p *common.Payload) (*common.Payload, error) {
	if !isEncrypted(p) {
		return p, nil
	}
	id := string(p.GetMetadata()[metaKey])
	with, ok := k.find(id)
	if !ok {
		return nil, &UnreadableError{k.unknown(id)}
	}
	plain, err := with.aead.Open(nil, nil, p.GetData(), []byte(id))
	if err != nil {
		return nil, &UnreadableError{"a payload that names the key " + id + " was changed, or was encrypted with another key"}
	}
	out := &common.Payload{}
	if err := proto.Unmarshal(plain, out); err != nil {
		return nil, &UnreadableError{"a payload was encrypted with the key " + id + " by another program"}
	}
	return out, nil
}

// Encode and Decode implement converter.PayloadCodec, for programs that show payloads, such as the Web UI.
func (k *Keys) Encode(list []*common.Payload) ([]*common.Payload, error) {
	return convert(list, k.encrypt)
}

// Decode is the inverse of Encode.
func (k *Keys) Decode(list []*common.Payload) ([]*common.Payload, error) {
	return convert(list, k.decrypt)
}

// convert converts all of a list, or none.
func convert(list []*common.Payload, one func(*common.Payload) (*common.Payload, error)) ([]*common.Payload, error) {
	out := make([]*common.Payload, len(list))
	for i, p := range list {
		var err error
		if out[i], err = one(p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func isEncrypted(p *common.Payload) bool {
	return string(p.GetMetadata()[metaEncoding]) == encodingValue
}

func (k *Keys) find(id string) (key, bool) {
	if k == nil {
		return key{}, false
	}
	for _, one := range k.list {
		if one.id == id {
			return one, true
		}
	}
	return key{}, false
}

// unknown says which key is missing, and how it is given. The ID comes from the server.
func (k *Keys) unknown(id string) string {
	const maxID = 32
	switch {
	case id == "" || len(id) > maxID || strings.Trim(id, "0123456789abcdef") != "":
		return "the payload is encrypted, and not by sweep"
	case !k.Any():
		return "the payload is encrypted with key " + id + ": give --payload-keys, or SWEEP_PAYLOAD_KEYS, a file that has it"
	}
	ids := make([]string, len(k.list))
	for i, one := range k.list {
		ids[i] = one.id
	}
	return "the payload is encrypted with key " + id + ", and --payload-keys has only " + strings.Join(ids, ", ") +
		": add it to the file, below the first"
}
