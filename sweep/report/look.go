package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/table"
)

// A Look says how a table is shown to a person.
type Look struct {
	Width  int      // columns of the terminal; 0 for a file or a pipe, for which a table stays as it is
	Rows   string   // what the rows are, as "runs"
	Chosen bool     // a person has named the columns: all stay in the table, in this order
	All    bool     // a person wants every column: none is left out
	Lines  []string // below the table, in a file: the errors that are too long for it
	Notes  []string // sentences below the table
}

// leaveOrder lists the columns that a table goes without where a terminal is too narrow for all, the first of them
// first. Settings, nmse, status and columns of other programs always stay.
func leaveOrder(t *table.Table) []string {
	out := []string{
		"tokens", "steps", "scale", "auxk_loss", "alive_fraction", "dead_latents", "recovery", "cosine",
		"huge_rows_share", "rows_left_out", "semantics", "init_written", "l2_loss", "l0", "error",
	}
	if slices.Contains(Varying(t), "steps") {
		out = slices.DeleteFunc(out, func(name string) bool { return name == "steps" })
	}
	return out
}

// Write writes a table for people. The texts in it are whole: it is Write that shortens them.
func (l Look) Write(w io.Writer, f table.Format, t table.Table) error {
	if l.Width <= 0 || f.Name != table.Formats()[0].Name {
		return WriteBelow(w, f, Shorten(t), l.Lines, l.Notes)
	}
	screen := table.Screen{Width: l.Width}
	if !l.Chosen {
		screen.All = "all " + l.Rows
	}
	if !l.Chosen && !l.All {
		screen.Leave = leaveOrder(&t)
	}
	short := Shorten(t)
	fitted := short.Fit(screen)
	if err := fitted.Write(w); err != nil {
		return err
	}
	below := l.wholeTexts(&t, &fitted)
	for _, note := range l.Notes {
		below = append(below, table.Wrap(l.Width, "", "", OneLine(note)))
	}
	for _, text := range below {
		if _, err := io.WriteString(w, "\n"+text); err != nil {
			return err
		}
	}
	return nil
}

// wholeTexts returns a paragraph for each text that a fitted table does not show whole, or an error of a column that is
// left out, with the rows that have it.
func (l Look) wholeTexts(t *table.Table, fitted *table.Fitted) []string {
	var out []string
	for j, c := range t.Columns {
		if c.Kind != table.Text || c.Name == "cell" {
			continue
		}
		var order []string
		rows := map[string][]int{}
		for i, row := range t.Rows {
			whole, ok := row[j].(string)
			if whole = OneLine(whole); !ok || whole == "" {
				continue
			}
			if shown, ok := fitted.Shown(i, c.Name); whole == shown || !ok && c.Name != "error" {
				continue
			}
			if rows[whole] == nil {
				order = append(order, whole)
			}
			rows[whole] = append(rows[whole], i)
		}
		for _, whole := range order {
			what := l.named(t, rows[whole])
			if c.Name != "error" && c.Name != "model" {
				what = strings.TrimSpace(what + "  " + c.Name)
			}
			out = append(out, table.Wrap(l.Width, "", "  ", what, whole))
		}
	}
	return out
}

// mostNamed is the number of rows that a paragraph names.
const mostNamed = 8

// named names rows by the short IDs of their cells, as far as the table has them.
func (l Look) named(t *table.Table, rows []int) string {
	var ids []string
	for _, i := range rows {
		if id, ok := t.Value(i, "cell").(string); ok && !slices.Contains(ids, shortID(id)) {
			ids = append(ids, shortID(id))
		}
	}
	switch {
	case len(ids) == 0:
		return ""
	case len(rows) == len(t.Rows) && len(rows) > 1:
		return "all " + l.Rows
	case len(ids) > mostNamed:
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:mostNamed], ", "), len(ids)-mostNamed)
	}
	return strings.Join(ids, ", ")
}
