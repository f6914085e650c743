package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// A leaf says how a Parquet column is read.
type leaf struct {
	kind Kind
	get  func(v parquet.Value) any

	unsigned bool // 64 bits without a sign, of which int64 does not hold all values
}

// ReadParquet reads a table from a Parquet file. Columns of text, integers, numbers, booleans (as 0 and 1) and lists
// of integers are read; a number that is not finite is no value. The error names a column of another type. It also
// tells of a file that is damaged or larger than MaxBytes, or has more than MaxValues values. What the file does not
// say of a column that is among the known, it has from there.
func ReadParquet(r io.Reader, known ...Column) (t Table, err error) {
	b, err := readAll(r)
	if err != nil {
		return t, err
	}
	// The library panics on some damaged files, and the file is somebody's input.
	defer func() {
		if fault := recover(); fault != nil {
			t, err = Table{}, fmt.Errorf("a damaged Parquet file: %v", fault)
		}
	}()
	if err := checkFooter(b); err != nil {
		return t, err
	}
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)), parquet.SkipPageIndex(true),
		parquet.SkipBloomFilters(true), parquet.SkipMagicBytes(false))
	if err != nil {
		return t, fmt.Errorf("not a Parquet file, or a damaged one: %w", err)
	}
	if err := checkSize(f); err != nil {
		return t, err
	}
	if err := checkPages(b, f); err != nil {
		return t, err
	}
	t, err = readParquet(f)
	t.describe(known)
	return t, err
}

// describe gives columns what is known of them and they lack. A column of numbers that is known to hold integers holds
// them if all are whole: pandas writes a column of integers with a missing one as numbers.
func (t *Table) describe(known []Column) {
	for j := range t.Columns {
		c := &t.Columns[j]
		i := slices.IndexFunc(known, func(k Column) bool { return k.Name == c.Name })
		if i < 0 {
			continue
		}
		if known[i].Kind == Int && c.Kind == Float && t.toInt(j) || known[i].Kind == Float && c.Kind == Int {
			c.Kind = known[i].Kind
			for _, row := range t.Rows {
				row[j] = convert(row[j], c.Kind)
			}
		}
		if c.Kind != known[i].Kind {
			continue
		}
		c.Exact = known[i].Exact
		if c.Doc == "" {
			c.Unit, c.Doc = known[i].Unit, known[i].Doc
		}
	}
}

// toInt makes the numbers of a column integers if all of them are whole.
func (t *Table) toInt(j int) bool {
	for _, row := range t.Rows {
		if x, ok := row[j].(float64); ok && (x != math.Trunc(x) || math.Abs(x) >= 1<<53) {
			return false
		}
	}
	for _, row := range t.Rows {
		if x, ok := row[j].(float64); ok {
			row[j] = int64(x)
		}
	}
	return true
}

// checkSize refuses a file that says that it holds more than can be read.
func checkSize(f *parquet.File) error {
	columns := int64(len(f.Metadata().Schema))
	if err := checkColumns(len(f.Root().Columns())); err != nil {
		return err
	}
	if rows := f.NumRows(); rows < 0 || columns > MaxValues || rows > MaxValues/max(columns, 1) {
		return fmt.Errorf("%d rows of %d columns: at most %d values can be read", f.NumRows(), columns, MaxValues)
	}
	return nil
}

func readParquet(f *parquet.File) (Table, error) {
	var (
		t      Table
		leaves []leaf
	)
	about := metaOf(f)
	for _, c := range f.Root().Columns() {
		l, err := leafOf(c)
		if err == nil && c.Repeated() {
			err = errors.New("it is repeated without being a list, which is not read")
		}
		if err != nil {
			return t, fmt.Errorf("column %s: %w", c.Name(), err)
		}
		if t.Index(c.Name()) >= 0 {
			return t, fmt.Errorf("two columns %s", c.Name())
		}
		leaves = append(leaves, l)
		t.Columns = append(t.Columns, Column{
			Name: c.Name(), Kind: l.kind, Unit: about[c.Name()].Unit, Doc: about[c.Name()].Doc,
		})
	}
	if len(leaves) == 0 {
		return t, errors.New("no columns")
	}
	values := 0
	for _, g := range f.RowGroups() {
		rows := g.Rows()
		defer rows.Close()
		buffer := make([]parquet.Row, 64)
		for {
			n, err := rows.ReadRows(buffer)
			for _, row := range buffer[:n] {
				if values += max(len(row), len(leaves)); values > MaxValues {
					return t, fmt.Errorf("more than %d values", MaxValues)
				}
				line, err := lineOf(row, leaves)
				if err != nil {
					return t, fmt.Errorf("row %d: %w", len(t.Rows), err)
				}
				t.Rows = append(t.Rows, line)
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return t, fmt.Errorf("row %d: %w", len(t.Rows), err)
			}
			if n == 0 {
				return t, fmt.Errorf("row %d: %w", len(t.Rows), io.ErrNoProgress)
			}
		}
	}
	return t, nil
}

// lineOf returns the values of a row. Each column of the file that can be read has one leaf. The error tells of a value
// beyond int64.
func lineOf(row parquet.Row, leaves []leaf) ([]any, error) {
	line := make([]any, len(leaves))
	for _, v := range row {
		j := v.Column()
		if j < 0 || j >= len(leaves) {
			continue
		}
		if leaves[j].unsigned && !v.IsNull() && v.Uint64() > math.MaxInt64 {
			return nil, fmt.Errorf("%d is over %d, the largest integer that is read", v.Uint64(), math.MaxInt64)
		}
		if leaves[j].kind != Ints {
			if !v.IsNull() {
				line[j] = finite(leaves[j].get(v))
			}
			continue
		}
		list, _ := line[j].([]int64)
		if !v.IsNull() {
			n, _ := leaves[j].get(v).(int64)
			list = append(list, n)
		} else if v.DefinitionLevel() > 0 && list == nil {
			list = []int64{}
		}
		if list != nil {
			line[j] = list
		}
	}
	return line, nil
}

// leafOf says how a column is read.
func leafOf(c *parquet.Column) (leaf, error) {
	if !c.Leaf() {
		inner := c
		for depth := 0; !inner.Leaf(); depth++ {
			if len(inner.Columns()) != 1 || depth == 2 {
				return leaf{}, errors.New("it is nested, which is not read")
			}
			inner = inner.Columns()[0]
		}
		l, err := leafOf(inner)
		if err == nil && (l.kind != Int || inner.MaxRepetitionLevel() != 1) {
			err = errors.New("of nested columns only lists of integers are read")
		}
		l.kind = Ints
		return l, err
	}
	unsigned := false
	if logical := c.Type().LogicalType(); logical != nil {
		switch x := logical.Value.(type) {
		case *format.DecimalType: // its values are integers that lack the decimal point
			return leaf{}, errors.New("decimal numbers are not read: write them as DOUBLE")
		case *format.IntType:
			unsigned = !x.IsSigned
		}
	}
	integer := func(get func(v parquet.Value) int64) leaf {
		return leaf{kind: Int, get: func(v parquet.Value) any { return get(v) }}
	}
	switch c.Type().Kind() {
	case parquet.Boolean:
		return integer(func(v parquet.Value) int64 {
			if v.Boolean() {
				return 1
			}
			return 0
		}), nil
	case parquet.Int32:
		if unsigned {
			return integer(func(v parquet.Value) int64 { return int64(v.Uint32()) }), nil
		}
		return integer(func(v parquet.Value) int64 { return int64(v.Int32()) }), nil
	case parquet.Int64:
		l := integer(parquet.Value.Int64)
		l.unsigned = unsigned
		return l, nil
	case parquet.Float:
		return leaf{kind: Float, get: func(v parquet.Value) any { return float64(v.Float()) }}, nil
	case parquet.Double:
		return leaf{kind: Float, get: func(v parquet.Value) any { return v.Double() }}, nil
	case parquet.ByteArray:
		return leaf{kind: Text, get: func(v parquet.Value) any { return string(v.ByteArray()) }}, nil
	case parquet.FixedLenByteArray: // halves of 16 bits, UUIDs: no text
		return leaf{}, errors.New("values of a fixed number of bytes are not read: write numbers as DOUBLE, texts as STRING")
	}
	return leaf{}, fmt.Errorf("values of the type %s are not read", c.Type())
}

// metaOf returns what a file that this package wrote says of its columns.
func metaOf(f *parquet.File) map[string]columnMeta {
	text, _ := f.Lookup(columnsKey)
	var list []columnMeta
	if json.Unmarshal([]byte(text), &list) != nil {
		return nil
	}
	out := map[string]columnMeta{}
	for _, c := range list {
		out[c.Name] = c
	}
	return out
}
