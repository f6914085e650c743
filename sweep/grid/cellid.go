package grid

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/topksweep/sweep/trainer"
)

// A Hasher hashes settings as CellID does, for many cells of one grid: it writes the JSON that encoding/json would, in
// memory that it keeps. It is for one goroutine.
type Hasher struct {
	fields []jsonField
	head   string
	buffer []byte
}

// A jsonField is a field of trainer.Config in JSON.
type jsonField struct {
	index    int
	key      string // "key":
	omitZero bool
}

// NewHasher returns a Hasher under the training semantics of a version, for cells on data with a fingerprint.
func NewHasher(semantics int, fingerprint string) *Hasher {
	data, err := json.Marshal(fingerprint)
	if err != nil { // which no text has
		panic(fmt.Sprintf("sweep: a fingerprint has no JSON: %v", err))
	}
	h := &Hasher{head: fmt.Sprintf(`{"semantics":%d,"data":%s,"config":{`, semantics, data)}
	of := reflect.TypeFor[trainer.Config]()
	for i := range of.NumField() {
		key, options, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		h.fields = append(h.fields, jsonField{i, strconv.Quote(key) + ":", options == "omitzero"})
	}
	return h
}

// ID returns CellIDAt of c. It uses the memory of c in place, and changes nothing of it.
func (h *Hasher) ID(c *trainer.Config) string {
	b := append(h.buffer[:0], h.head...)
	config := reflect.ValueOf(c).Elem()
	for _, f := range h.fields {
		v := config.Field(f.index)
		if f.omitZero && v.IsZero() {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(b, f.key...)
		switch v.Kind() {
		case reflect.String:
			b = appendText(b, v.String())
		case reflect.Float64:
			b = appendNumber(b, v.Float())
		default:
			b = strconv.AppendInt(b, v.Int(), 10)
		}
	}
	h.buffer = append(b, '}', '}')
	sum := sha256.Sum256(h.buffer)
	return hex.EncodeToString(sum[:10])
}

// appendText appends a text as encoding/json writes it. Words and hashes need no escapes.
func appendText(b []byte, s string) []byte {
	plain := func(r rune) bool { return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' }
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return append(append(append(b, '"'), s...), '"')
	}
	text, err := json.Marshal(s)
	if err != nil { // which no text has
		panic(fmt.Sprintf("sweep: a text has no JSON: %v", err))
	}
	return append(b, text...)
}

// appendNumber appends a number as encoding/json writes it: with an exponent where it is very small or large, and then
// without a zero before a single digit.
func appendNumber(b []byte, x float64) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		// Config.Validate rejects both.
		panic(fmt.Sprintf("sweep: a valid config has no JSON: %v", x))
	}
	format := byte('f')
	if abs := math.Abs(x); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	b = strconv.AppendFloat(b, x, format, -1, 64)
	if n := len(b); format == 'e' && b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' {
		b[n-2] = b[n-1]
		b = b[:n-1]
	}
	return b
}
