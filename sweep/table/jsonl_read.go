package table

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// ReadJSON reads a table from a JSON array of objects, or from JSON Lines: an object a line. The columns are the keys,
// in the order in which they come first. Their kinds are found as by ReadCSV. A key that an object lacks and null are
// no value; true and false are 1 and 0. The error names the object; it also tells of input of over MaxBytes or
// MaxValues.
func ReadJSON(r io.Reader, known ...Column) (Table, error) {
	in := bufio.NewReader(&limit{r: r, left: MaxBytes})
	isArray := false
	for {
		c, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return Table{}, errors.New("no object")
		}
		if err != nil {
			return Table{}, err
		}
		if !bytes.ContainsAny([]byte{c}, " \t\r\n") {
			isArray = c == '['
			_ = in.UnreadByte()
			break
		}
	}
	d := json.NewDecoder(in)
	d.UseNumber()
	if isArray {
		if _, err := d.Token(); err != nil {
			return Table{}, err
		}
	}
	var j jsonTable
	for d.More() {
		if err := j.readObject(d); err != nil {
			return Table{}, fmt.Errorf("object %d: %w", len(j.rows)+1, err)
		}
	}
	if isArray {
		if _, err := d.Token(); err != nil {
			return Table{}, fmt.Errorf("after object %d: %w", len(j.rows), err)
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Table{}, fmt.Errorf("after object %d: there is more", len(j.rows))
	}
	return j.table(known)
}

// A jsonTable is what has been read. A value is nil, a string, a json.Number or a []int64.
type jsonTable struct {
	names  []string
	index  map[string]int
	rows   [][]any
	values int
}

func (j *jsonTable) readObject(d *json.Decoder) error {
	if t, err := d.Token(); err != nil {
		return err
	} else if t != json.Delim('{') {
		return fmt.Errorf("%v is no object", t)
	}
	row := make([]any, len(j.names))
	seen := map[int]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		at, ok := j.index[name]
		if !ok {
			if j.index == nil {
				j.index = map[string]int{}
			}
			if err := checkColumns(len(j.names) + 1); err != nil {
				return err
			}
			at = len(j.names)
			j.index[name] = at
			j.names = append(j.names, name)
		}
		if seen[at] {
			return fmt.Errorf("two keys %q", name)
		}
		seen[at] = true
		row = append(row, make([]any, max(0, at+1-len(row)))...)
		if row[at], err = readJSONValue(d); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	j.rows = append(j.rows, row)
	if j.values = max(j.values+len(row), len(j.rows)*len(j.names)); j.values > MaxValues {
		return fmt.Errorf("more than %d values", MaxValues)
	}
	return nil
}

func readJSONValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch x := t.(type) {
	case nil, string, json.Number:
		return x, nil
	case bool:
		if x {
			return json.Number("1"), nil
		}
		return json.Number("0"), nil
	}
	if t != json.Delim('[') {
		return nil, errors.New("a value is a text, a number, true, false, null or a list of integers")
	}
	list := []int64{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		number, _ := t.(json.Number)
		n, err := number.Int64()
		if err != nil {
			return nil, fmt.Errorf("%v in a list: want integers", t)
		}
		list = append(list, n)
	}
	_, err = d.Token()
	return list, err
}

func (j *jsonTable) table(known []Column) (Table, error) {
	t := Table{Rows: make([][]any, len(j.rows))}
	for i := range t.Rows {
		t.Rows[i] = make([]any, len(j.names))
	}
	for at, name := range j.names {
		kind, err := j.kindOf(at, known)
		if err != nil {
			return Table{}, err
		}
		c := Column{Name: name, Kind: kind}
		if i := slices.IndexFunc(known, func(k Column) bool { return k.Name == name && k.Kind == kind }); i >= 0 {
			c = known[i]
		}
		t.Columns = append(t.Columns, c)
		for i := range j.rows {
			v := j.at(i, at)
			if n, ok := v.(json.Number); ok {
				v, _ = parse(kind, n.String())
			}
			t.Rows[i][at] = v
		}
	}
	return t, nil
}

// at returns a value, which an object of before the key was first seen does not have.
func (j *jsonTable) at(row, column int) any {
	if column < len(j.rows[row]) {
		return j.rows[row][column]
	}
	return nil
}

// kindOf returns the kind of a column. The error tells of values that do not go together.
func (j *jsonTable) kindOf(at int, known []Column) (Kind, error) {
	name := j.names[at]
	texts, lists, numbers, whole := 0, 0, 0, true
	for i := range j.rows {
		switch x := j.at(i, at).(type) {
		case string:
			texts++
		case []int64:
			lists++
		case json.Number:
			numbers++
			v, err := x.Float64()
			if err != nil || math.IsInf(v, 0) {
				return 0, fmt.Errorf("object %d: %q: %s is out of range", i+1, name, x)
			}
			_, ok := parse(Int, x.String())
			whole = whole && ok
		}
	}
	i := slices.IndexFunc(known, func(c Column) bool { return c.Name == name })
	switch {
	case min(texts, 1)+min(lists, 1)+min(numbers, 1) > 1:
		return 0, fmt.Errorf("%q is a text, a number or a list in some objects and another of these in others", name)
	case texts+lists+numbers == 0:
		if i >= 0 {
			return known[i].Kind, nil
		}
		return Text, nil
	case lists > 0:
		return Ints, nil
	case texts > 0:
		return Text, nil
	case whole && !(i >= 0 && known[i].Kind == Float):
		return Int, nil
	}
	return Float, nil
}
