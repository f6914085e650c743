package table

import (
	"bytes"
	"encoding/json"
	"io"
)

// writeJSON writes an array with one object a line.
func writeJSON(w io.Writer, t *Table) error {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, row := range t.Rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n  ")
		if err := writeObject(&b, t, row); err != nil {
			return err
		}
	}
	b.WriteString("\n]\n")
	_, err := w.Write(b.Bytes())
	return err
}

// writeJSONLines writes one object a line.
func writeJSONLines(w io.Writer, t *Table) error {
	var b bytes.Buffer
	for _, row := range t.Rows {
		b.Reset()
		if err := writeObject(&b, t, row); err != nil {
			return err
		}
		b.WriteByte('\n')
		if _, err := w.Write(b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// writeObject writes a row as an object. Its keys are in the order of the columns. A value that is not there is null.
func writeObject(b *bytes.Buffer, t *Table, row []any) error {
	b.WriteByte('{')
	for j, c := range t.Columns {
		if j > 0 {
			b.WriteString(", ")
		}
		key, err := json.Marshal(c.Name)
		if err != nil {
			return err
		}
		value, err := json.Marshal(finite(row[j]))
		if err != nil {
			return err
		}
		b.Write(key)
		b.WriteString(": ")
		b.Write(value)
	}
	b.WriteByte('}')
	return nil
}
