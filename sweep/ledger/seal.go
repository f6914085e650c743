package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/topksweep/sweep/storage"
)

// A result has numbers in which a flipped digit looks right. So its last field is the
// SHA-256 of the object without that field:
//
//	{                          {
//	 "cell": "ab12",            "cell": "ab12",
//	 "tokens": 640       →      "tokens": 640,
//	}                           "sha256": "9f86…"
//	                           }
//
// An object that ends in another way has no seal: an older version wrote it, or a person.
const (
	sealEnd   = "\n}\n"
	sealKey   = "sha256"
	sealBegin = ",\n \"" + sealKey + "\": \""
)

// sealed returns v as JSON with a seal. v must be a struct that has fields.
func sealed(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	fields, ok := bytes.CutSuffix(b.Bytes(), []byte(sealEnd))
	if !ok {
		return nil, fmt.Errorf("seal: %T has no fields", v)
	}
	sum := sha256.Sum256(b.Bytes())
	return fmt.Appendf(nil, "%s%s%x\"%s", fields, sealBegin, sum, sealEnd), nil
}

// checkSeal returns an error that wraps storage.ErrCorrupt if b has a seal that is not
// that of its fields.
func checkSeal(b []byte) error {
	rest, ok := bytes.CutSuffix(b, []byte("\""+sealEnd))
	if at := len(rest) - 2*sha256.Size; ok && at >= 0 {
		if fields, ok := bytes.CutSuffix(rest[:at], []byte(sealBegin)); ok {
			sum := sha256.New()
			sum.Write(fields)
			sum.Write([]byte(sealEnd))
			if hex.EncodeToString(sum.Sum(nil)) != string(rest[at:]) {
				return fmt.Errorf("%w: its fields are not those that its sha256 is of", storage.ErrCorrupt)
			}
		}
	}
	return nil
}
