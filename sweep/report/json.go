package report

import (
	"bytes"
	"encoding/json"
	"io"
)

// writeJSON writes an array with one object a line. The keys of an object are in the order of the columns. A missing
// value is null.
func writeJSON(w io.Writer, rows Rows) error {
	columns := rows.columns()
	var b bytes.Buffer
	b.WriteByte('[')
	for i, r := range rows.Results {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n  {")
		for j, c := range columns {
			if j > 0 {
				b.WriteString(", ")
			}
			v := c.get(r)
			if isMissing(v) {
				v = nil
			}
			if err := writeMember(&b, c.Name, v); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	}
	b.WriteString("\n]\n")
	_, err := w.Write(b.Bytes())
	return err
}

// writeMember writes one key of an object, with its value.
func writeMember(b *bytes.Buffer, name string, v any) error {
	key, err := json.Marshal(name)
	if err != nil {
		return err
	}
	value, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b.Write(key)
	b.WriteString(": ")
	b.Write(value)
	return nil
}
