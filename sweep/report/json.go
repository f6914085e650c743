package report

import (
	"bytes"
	"encoding/json"
	"io"
)

// writeJSON writes one object a line, its keys in the order of the columns.
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
			if absent(v) {
				v = nil
			}
			if err := member(&b, c.Name, v); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	}
	b.WriteString("\n]\n")
	_, err := w.Write(b.Bytes())
	return err
}

func member(b *bytes.Buffer, name string, v any) error {
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
