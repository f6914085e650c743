package table

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Filter is a list of conditions. A row is in it if all of them hold.
type Filter []condition

// A condition compares a column with a value.
type condition struct {
	column string
	op     string
	value  string
	quoted bool // the value is given in quotes: empty quotes are a text without letters, not a missing value
	at     int  // of the condition in the text, in characters from 1
}

// operators lists the comparisons. Where one is the beginning of another, the longer stands first.
func operators() []string { return []string{"^=", "!=", "==", "<=", ">=", "=", "<", ">"} }

// ParseFilter reads conditions, separated by commas, as in
//
//	k=8,nmse<0.2
//	status!=completed
//	submodule_name="a, b"
//	cell^=036c8426ea
//	first_dead_step=
//
// A condition is the name of a column, one of = != < <= > >= ^=, and a value. ^= is for the beginning of a text. A
// value with a comma stands in single or double quotes; a quote in it is doubled. Without a value, = holds where a row
// has no value in the column, and != where it has one. Nothing else holds where there is no value. The error says where
// in the text it is.
func ParseFilter(text string) (Filter, error) {
	var out Filter
	rest := text
	for {
		c, after, err := parseCondition(rest)
		c.at = position(text, rest)
		if err != nil {
			return nil, fmt.Errorf("%q, at character %d: %w", text, c.at, err)
		}
		out = append(out, c)
		if after == "" {
			return out, nil
		}
		rest = after[1:] // behind the comma
	}
}

// position returns where the rest of a text begins, in characters from 1, without the spaces before it.
func position(text, rest string) int {
	before := text[:len(text)-len(strings.TrimLeft(rest, " \t"))]
	return len([]rune(before)) + 1
}

// parseCondition reads the condition at the beginning of a text. after is empty or begins with a comma.
func parseCondition(text string) (c condition, after string, err error) {
	const want = "want a condition such as k=8 or nmse<0.2"
	i := strings.IndexAny(text, "=!<>^,\"'")
	if i < 0 || text[i] == ',' {
		first, _, _ := strings.Cut(text, ",")
		if first = strings.TrimSpace(first); first == "" {
			return c, "", fmt.Errorf("there is nothing; %s", want)
		}
		return c, "", fmt.Errorf("%q has no comparison; %s", first, want)
	}
	c.column = strings.TrimSpace(text[:i])
	for _, op := range operators() {
		if strings.HasPrefix(text[i:], op) {
			c.op = op
			break
		}
	}
	switch {
	case c.op == "":
		return c, "", fmt.Errorf("%q is no comparison; %s", text[i:i+1], want)
	case c.column == "":
		return c, "", fmt.Errorf("no column before %s; %s", c.op, want)
	}
	value := strings.TrimLeft(text[i+len(c.op):], " \t")
	if c.op == "==" {
		c.op = "="
	}
	if value == "" || value[0] != '"' && value[0] != '\'' {
		plain, _, comma := strings.Cut(value, ",")
		if comma {
			after = value[len(plain):]
		}
		c.value = strings.TrimSpace(plain)
		if strings.IndexAny(c.value, "=<>") == 0 {
			return c, "", fmt.Errorf("%s%s is no comparison; %s", c.op, c.value[:1], want)
		}
		if c.value == "" && c.op != "=" && c.op != "!=" {
			return c, "", fmt.Errorf("no value after %s%s", c.column, c.op)
		}
		return c, after, nil
	}
	c.quoted = true
	if c.value, after, err = parseQuoted(value); err != nil {
		return c, "", err
	}
	after = strings.TrimLeft(after, " \t")
	if after != "" && after[0] != ',' {
		return c, "", fmt.Errorf("want a comma after %s%s%s", c.column, c.op, value[:len(value)-len(after)])
	}
	return c, after, nil
}

// parseQuoted reads a text in quotes. A doubled quote in it is one.
func parseQuoted(text string) (value, after string, err error) {
	quote := text[:1]
	rest := text[1:]
	for {
		part, behind, found := strings.Cut(rest, quote)
		value += part
		if !found {
			return "", "", fmt.Errorf("the quotes of %s do not end", text)
		}
		if !strings.HasPrefix(behind, quote) {
			return value, behind, nil
		}
		value, rest = value+quote, behind[1:]
	}
}

// Rows returns the indices of the rows of a table that are in the filter. The error names a column that there is not,
// or a value that is none of the column.
func (f Filter) Rows(t *Table) ([]int, error) {
	var tests []func(row []any) bool
	for _, c := range f {
		test, err := c.test(t)
		if err != nil {
			return nil, fmt.Errorf("character %d: %w", c.at, err)
		}
		tests = append(tests, test)
	}
	out := []int{}
	for i, row := range t.Rows {
		if !slices.ContainsFunc(tests, func(test func(row []any) bool) bool { return !test(row) }) {
			out = append(out, i)
		}
	}
	return out, nil
}

// test returns a function that reports whether the condition holds for a row.
func (c condition) test(t *Table) (func(row []any) bool, error) {
	i, err := t.find(c.column)
	if err != nil {
		return nil, err
	}
	if c.value == "" && !c.quoted {
		missing := c.op == "="
		return func(row []any) bool { return (row[i] == nil) == missing }, nil
	}
	switch kind := t.Columns[i].Kind; kind {
	case Text:
		return c.testText(i)
	case Int, Float:
		return c.testNumber(t, i)
	default:
		return nil, fmt.Errorf("%s holds %s: only %s= and %s!= can be asked", c.column, kind, c.column, c.column)
	}
}

func (c condition) testText(i int) (func(row []any) bool, error) {
	switch c.op {
	case "=":
		return func(row []any) bool { return row[i] == c.value }, nil
	case "!=":
		return func(row []any) bool { return row[i] != nil && row[i] != c.value }, nil
	case "^=":
		return func(row []any) bool {
			s, ok := row[i].(string)
			return ok && strings.HasPrefix(s, c.value)
		}, nil
	}
	return nil, fmt.Errorf("%s holds text, which has no %s: want =, != or ^=", c.column, c.op)
}

func (c condition) testNumber(t *Table, i int) (func(row []any) bool, error) {
	x, err := strconv.ParseFloat(strings.ReplaceAll(c.value, "_", ""), 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		hint := ""
		if t.Index(c.column+"_written") >= 0 {
			hint = fmt.Sprintf("; %s_written has it as the grid does", c.column)
		}
		return nil, fmt.Errorf("%s holds numbers, and %q is none%s", c.column, c.value, hint)
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(c.value, "_", ""), 10, 64)
	whole := err == nil
	var holds func(order int) bool
	switch c.op {
	case "=":
		holds = func(order int) bool { return order == 0 }
	case "!=":
		holds = func(order int) bool { return order != 0 }
	case "<":
		holds = func(order int) bool { return order < 0 }
	case "<=":
		holds = func(order int) bool { return order <= 0 }
	case ">":
		holds = func(order int) bool { return order > 0 }
	case ">=":
		holds = func(order int) bool { return order >= 0 }
	default:
		return nil, fmt.Errorf("%s holds numbers, which have no %s", c.column, c.op)
	}
	return func(row []any) bool {
		switch v := row[i].(type) {
		case int64:
			if whole { // a float64 would hold 9007199254740993 as 9007199254740992
				return holds(cmp.Compare(v, n))
			}
			return holds(cmp.Compare(float64(v), x))
		case float64:
			return holds(cmp.Compare(v, x))
		}
		return false
	}, nil
}
