package table

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// writeCSV writes the names of all columns, and then one line for each row. A value that is not there is an empty
// field.
func writeCSV(w io.Writer, t *Table) error {
	out := csv.NewWriter(w)
	write := func(line []string) error {
		if len(line) == 1 && line[0] == "" { // readers skip an empty line
			out.Flush()
			_, err := io.WriteString(w, "\"\"\n")
			return err
		}
		return out.Write(line)
	}
	if err := write(t.names()); err != nil {
		return err
	}
	line := make([]string, len(t.Columns))
	for _, row := range t.Rows {
		for i, v := range row {
			line[i] = Print(v)
		}
		if err := write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// ReadCSV reads a table from comma-separated values whose first line names the columns. Spaces after a comma are no
// part of the field, except in quotes. An empty field is no value, and neither is NaN or Inf in a column of numbers.
// A column that is among the known has the kind, unit and doc from there if all its values are of the kind. Any other
// holds integers if all its values are integers, else numbers if all are numbers, else text. The error names the line;
// it also tells of input of over MaxBytes or MaxValues.
func ReadCSV(r io.Reader, known ...Column) (Table, error) {
	limited := &limit{r: r, left: MaxBytes, text: true}
	buffered := bufio.NewReader(limited)
	if mark, err := buffered.Peek(3); err == nil && bytes.Equal(mark, []byte("\xEF\xBB\xBF")) {
		_, _ = buffered.Discard(3) // Excel begins a file with it
	}
	in := csv.NewReader(buffered)
	in.TrimLeadingSpace = true // as people write by hand; a field in quotes keeps its spaces
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return Table{}, errors.New("no line of column names")
	}
	if err != nil {
		return Table{}, err
	}
	if strings.HasPrefix(header[0], "\xFF\xFE") || strings.HasPrefix(header[0], "\xFE\xFF") {
		return Table{}, errors.New("the text is in UTF-16: save it in UTF-8")
	}
	if err := checkColumns(len(header)); err != nil {
		return Table{}, err
	}
	if err := checkSeparator(header, known); err != nil {
		return Table{}, err
	}
	for i, name := range header {
		if slices.Contains(header[:i], name) {
			return Table{}, fmt.Errorf("two columns are named %q", name)
		}
	}
	var lines [][]string
	for {
		line, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Table{}, err
		}
		if lines = append(lines, line); len(lines)*len(header) > MaxValues {
			return Table{}, fmt.Errorf("more than %d values", MaxValues)
		}
	}
	t := Table{Rows: make([][]any, len(lines))}
	for i := range t.Rows {
		t.Rows[i] = make([]any, len(header))
	}
	for j, name := range header {
		c := columnOf(name, known, func(yield func(string) bool) {
			for _, line := range lines {
				if !yield(line[j]) {
					return
				}
			}
		})
		t.Columns = append(t.Columns, c)
		for i, line := range lines {
			t.Rows[i][j], _ = parse(c.Kind, line[j])
		}
	}
	return t, nil
}

// checkSeparator refuses a header in which something else than a comma separates names, one of them known. Excel
// writes semicolons where a comma is the decimal point.
func checkSeparator(header []string, known []Column) error {
	for name, separator := range map[string]string{"semicolons": ";", "tabs": "\t"} {
		names := strings.Split(header[0], separator)
		if len(header) > 1 || len(names) == 1 {
			continue
		}
		for _, c := range known {
			if slices.Contains(names, c.Name) {
				return fmt.Errorf("the columns are separated by %s: want commas, and points in numbers", name)
			}
		}
	}
	return nil
}

// columnOf describes a column by its name and its fields.
func columnOf(name string, known []Column, fields func(yield func(string) bool)) Column {
	holds := func(kind Kind) bool {
		for field := range fields {
			if _, ok := parse(kind, field); !ok {
				return false
			}
		}
		return true
	}
	if i := slices.IndexFunc(known, func(c Column) bool { return c.Name == name }); i >= 0 && holds(known[i].Kind) {
		return known[i]
	}
	for field := range fields {
		if field == "" {
			continue
		}
		for _, kind := range []Kind{Int, Float, Ints} {
			if holds(kind) && !onlyMissing(kind, fields) {
				return Column{Name: name, Kind: kind}
			}
		}
		break
	}
	return Column{Name: name, Kind: Text}
}

// onlyMissing says that no field has a value of the kind.
func onlyMissing(kind Kind, fields func(yield func(string) bool)) bool {
	for field := range fields {
		if v, _ := parse(kind, field); v != nil {
			return false
		}
	}
	return true
}

// parse reads a field as a value of a kind. ok is false if it is none.
func parse(kind Kind, field string) (v any, ok bool) {
	if field == "" {
		return nil, true
	}
	switch kind {
	case Int, Float:
		if n, err := strconv.ParseInt(field, 10, 64); err == nil {
			return convert(n, kind), !leadingZero(field)
		}
		x, err := strconv.ParseFloat(field, 64)
		if err != nil || strings.ContainsAny(field, "_xXpP") || leadingZero(field) {
			return nil, false
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, true
		}
		if kind == Float {
			return x, true
		}
		// pandas writes a column of integers with a missing one as numbers, 8.0 for 8.
		return int64(x), x == math.Trunc(x) && math.Abs(x) < 1<<53 && strings.HasSuffix(field, ".0")
	case Ints:
		var list []int64
		if !strings.HasPrefix(field, "[") || strings.Contains(field, "null") { // null would be read as 0
			return nil, false
		}
		ok := json.Unmarshal([]byte(field), &list) == nil && list != nil
		return list, ok
	}
	return field, true
}

// leadingZero reports whether a text has digits behind a 0 at its beginning. It is no number then: 007 is an ID.
func leadingZero(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9'
}
