package table

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// columnsKey is the key of a Parquet file's metadata that holds what the columns are: the JSON of their names, units
// and docs.
const columnsKey = "sweep.columns"

// groupRows is the number of rows of a row group. It bounds what is held in memory while a file is written.
const groupRows = 1 << 16

// a columnMeta is what columnsKey has of a column.
type columnMeta struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
	Doc  string `json:"doc,omitempty"`
}

// inOrder is a parquet.Group whose fields stand in the order of the table, not of the alphabet.
type inOrder struct {
	parquet.Group
	names []string
}

// Fields implements parquet.Node.
func (g inOrder) Fields() []parquet.Field {
	fields := g.Group.Fields()
	slices.SortFunc(fields, func(a, b parquet.Field) int {
		return slices.Index(g.names, a.Name()) - slices.Index(g.names, b.Name())
	})
	return fields
}

// writeParquet writes a table with one optional column for each of its own: a string, an INT64, a DOUBLE or a LIST of
// INT64. It writes nothing that depends on the time or the machine: Zstandard gives equal bytes on all processors.
// Snappy has other code, and gives other bytes, on amd64.
func writeParquet(w io.Writer, t *Table) error {
	if len(t.Columns) == 0 {
		return fmt.Errorf("a table without columns")
	}
	group := inOrder{parquet.Group{}, t.names()}
	var meta []columnMeta
	for _, c := range t.Columns {
		if group.Group[c.Name] != nil {
			return fmt.Errorf("two columns %s", c.Name)
		}
		group.Group[c.Name] = parquet.Optional(nodeOf(c.Kind))
		meta = append(meta, columnMeta{c.Name, c.Unit, c.Doc})
	}
	about, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	out := parquet.NewWriter(w, parquet.NewSchema("table", group), parquet.CreatedBy("sweep", "", ""),
		parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(groupRows),
		parquet.KeyValueMetadata(columnsKey, string(about)))
	line := make(parquet.Row, 0, len(t.Columns))
	for i, row := range t.Rows {
		line = line[:0]
		for j, c := range t.Columns {
			if line, err = appendValue(line, j, c.Kind, row[j]); err != nil {
				return fmt.Errorf("row %d, column %s: %w", i, c.Name, err)
			}
		}
		if _, err := out.WriteRows([]parquet.Row{line}); err != nil {
			return err
		}
	}
	return out.Close()
}

// nodeOf returns the Parquet type of a kind.
func nodeOf(kind Kind) parquet.Node {
	switch kind {
	case Text:
		return parquet.String()
	case Int:
		return parquet.Int(64)
	case Float:
		return parquet.Leaf(parquet.DoubleType)
	}
	return parquet.List(parquet.Int(64))
}

// appendValue appends a value of the column with index j to a row. The levels of definition are 0 for no value, 1 for
// a value or an empty list, and 2 for an item of a list.
func appendValue(row parquet.Row, j int, kind Kind, v any) (parquet.Row, error) {
	v = finite(v)
	if v == nil {
		return append(row, parquet.NullValue().Level(0, 0, j)), nil
	}
	switch x := convert(v, kind).(type) {
	case string:
		if kind == Text {
			return append(row, parquet.ByteArrayValue([]byte(strings.ToValidUTF8(x, "\uFFFD"))).Level(0, 1, j)), nil
		}
	case int64:
		if kind == Int {
			return append(row, parquet.Int64Value(x).Level(0, 1, j)), nil
		}
	case float64:
		if kind == Float {
			return append(row, parquet.DoubleValue(x).Level(0, 1, j)), nil
		}
	case []int64:
		if kind != Ints {
			break
		}
		if len(x) == 0 {
			return append(row, parquet.NullValue().Level(0, 1, j)), nil
		}
		for i, n := range x {
			row = append(row, parquet.Int64Value(n).Level(min(i, 1), 2, j))
		}
		return row, nil
	}
	return nil, fmt.Errorf("%T is not a value of %s", v, kind)
}
