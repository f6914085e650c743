package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// maxFairnessKey is the longest fairness key that a server takes, in bytes.
const maxFairnessKey = 64

// FairnessKey returns the fairness key of the stages of a sweep in the training queue. Sweeps of different keys take
// turns. It is the sweep's ID. An ID that is longer than 64 bytes is cut, and a hash of it stands at the end, so that
// the keys of two long IDs differ.
func FairnessKey(sweep string) string {
	if len(sweep) <= maxFairnessKey && utf8.ValidString(sweep) {
		return sweep
	}
	sum := sha256.Sum256([]byte(sweep))
	end := "-" + hex.EncodeToString(sum[:8])
	cut := strings.ToValidUTF8(sweep, "_")
	n := min(len(cut), maxFairnessKey-len(end))
	for n < len(cut) && !utf8.RuneStart(cut[n]) { // not in the middle of a character
		n--
	}
	return cut[:n] + end
}
