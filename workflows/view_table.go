package workflows

import "strings"

// A column of a table in Markdown.
type column struct {
	name   string // as Markdown
	number bool   // to be aligned at the right
}

// tableHead returns the two lines that begin a table.
func tableHead(columns []column) string {
	names, rules := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i], rules[i] = c.name, "---"
		if c.number {
			rules[i] = "---:"
		}
	}
	return tableRow(names) + tableRow(rules)
}

// tableRow returns a line of a table. Values are Markdown without line breaks.
func tableRow(values []string) string {
	var b strings.Builder
	for _, v := range values {
		b.WriteString("| ")
		if v != "" { // two bars side by side would join two cells
			b.WriteString(v + " ")
		}
	}
	b.WriteString("|\n")
	return b.String()
}

// addTable adds a table with as many of the rows as fit, and returns their number. Of no row it adds nothing.
func (s *section) addTable(columns []column, rows [][]string) int {
	head := tableHead(columns)
	for i, row := range rows {
		line := tableRow(row)
		if i == 0 {
			line = head + line
		}
		if !s.add(line) {
			return i
		}
	}
	return len(rows)
}
