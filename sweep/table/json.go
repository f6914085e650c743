package table

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
)

// blockSize is how many bytes of JSON are written at a time, at least.
const blockSize = 64 << 10

// writeJSON writes an array with one object a line.
func writeJSON(w io.Writer, t *Table) error {
	return writeObjects(w, t, "[", "\n  ", ",", "\n]\n")
}

// writeJSONLines writes one object a line.
func writeJSONLines(w io.Writer, t *Table) error {
	end := "\n"
	if len(t.Rows) == 0 {
		end = ""
	}
	return writeObjects(w, t, "", "", "\n", end)
}

// writeObjects writes rows as objects with texts around and between them. Their keys are in the order of the columns. A
// value that is not there is null.
func writeObjects(w io.Writer, t *Table, begin, before, between, end string) error {
	keys := make([][]byte, len(t.Columns))
	for j, c := range t.Columns {
		key, err := json.Marshal(c.Name)
		if err != nil {
			return err
		}
		keys[j] = append(key, ": "...)
	}
	var b bytes.Buffer
	b.WriteString(begin)
	texts := make([]jsonText, len(t.Columns))
	for i, row := range t.Rows {
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(before)
		b.WriteByte('{')
		for j, v := range row {
			if j > 0 {
				b.WriteString(", ")
			}
			b.Write(keys[j])
			if err := texts[j].write(&b, v); err != nil {
				return err
			}
		}
		b.WriteByte('}')
		if b.Len() >= blockSize {
			if _, err := b.WriteTo(w); err != nil {
				return err
			}
		}
	}
	b.WriteString(end)
	_, err := b.WriteTo(w)
	return err
}

// A jsonText is the last text of a column, and its JSON: those of many rows are equal.
type jsonText struct {
	text string
	json []byte
}

// write writes a value as json.Marshal does, and a number that no format can hold as null.
func (last *jsonText) write(b *bytes.Buffer, v any) (err error) {
	switch x := v.(type) {
	case int64:
		b.Write(strconv.AppendInt(b.AvailableBuffer(), x, 10))
		return nil
	case float64:
		if finite(x) != nil && !needsExponent(x) {
			b.Write(strconv.AppendFloat(b.AvailableBuffer(), x, 'f', -1, 64))
			return nil
		}
	case string:
		if last.json == nil || last.text != x {
			last.text = x
			last.json, err = json.Marshal(x)
		}
		b.Write(last.json)
		return err
	}
	text, err := json.Marshal(finite(v))
	b.Write(text)
	return err
}

// needsExponent reports whether JSON has a number with an exponent.
func needsExponent(x float64) bool {
	abs := math.Abs(x)
	return abs != 0 && (abs < 1e-6 || abs >= 1e21)
}
