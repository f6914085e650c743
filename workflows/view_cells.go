package workflows

import (
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/plan"
)

// A cellRow is a cell in the table of cells.
type cellRow struct {
	name, label string
	state       plan.Status
	brief       *plan.Brief // nil without a result
}

// metricNames names the metrics of the table of cells, as tables of results do.
func metricNames() []string { return []string{"nmse", "l2_loss", "auxk_loss", "l0", "dead_fraction"} }

// metrics returns the values of metricNames, which are nil without a result.
func (r cellRow) metrics() []*float64 {
	b := r.brief
	if b == nil {
		return make([]*float64, len(metricNames()))
	}
	return []*float64{b.NMSE, &b.L2Loss, b.AuxKLoss, &b.L0, &b.DeadFraction}
}

// cells lists cells with settings, state and metrics, in at most so many bytes of JSON: those with results, then those
// in training, then those that have none.
func (v view) cells(bound int) string {
	rows := v.cellRows()
	if len(v.seen)+len(v.failures) == 0 || len(rows) == 0 {
		return ""
	}
	s := newSection(bound)
	s.add("**Cells**\n\n")
	const note = 600
	s.left -= note
	columns, lines := cellTable(rows)
	listed := s.addTable(columns, lines)
	s.left += note
	s.addIf(listed > 0, "\n")
	if listed < v.Cells {
		s.add(count(v.Cells-listed) + " of " + count(v.Cells) + " cells are not listed.\n\n")
	}
	return s.String()
}

// maxRows bounds the rows of the table of cells: more never fit.
const maxRows = 500

// cellRows returns what is known of cells, in the order of the table.
func (v view) cellRows() []cellRow {
	var rows []cellRow
	known := map[int]bool{}
	for i := range v.seen {
		c := &v.seen[i]
		known[c.Cell] = true
		rows = append(rows, cellRow{cellNumber(c.Cell, 1), c.Label, plan.Completed, &c.Brief})
	}
	for _, l := range v.stages() {
		if l.Cell >= 0 && !known[l.Cell] {
			known[l.Cell] = true
			rows = append(rows, cellRow{cellNumber(l.Cell, l.Cells), l.Label, l.State, nil})
		}
	}
	for _, f := range slices.Backward(v.failures) {
		if !known[f.Cell] {
			known[f.Cell] = true
			rows = append(rows, cellRow{cellNumber(f.Cell, 1), f.Label, f.Status, nil})
		}
	}
	return rows[:min(len(rows), maxRows)]
}

// cellTable returns the columns of the table of cells, and its lines: the settings have a column each where all labels
// name the same ones.
func cellTable(rows []cellRow) (columns []column, lines [][]string) {
	keys, ok := settingsOf(rows[0].label)
	values := make([][]string, len(rows))
	for i, r := range rows {
		var own []setting
		if own, ok = settingsLike(keys, r.label, ok); !ok {
			break
		}
		for _, s := range own {
			values[i] = append(values[i], escape(s.value, maxWord))
		}
	}
	columns = []column{{"cell", true}}
	for _, k := range keys {
		columns = append(columns, column{escape(k.key, maxWord), true})
	}
	if !ok {
		columns = []column{{"cell", true}, {"settings", false}}
		for i, r := range rows {
			values[i] = []string{escape(r.label, maxLabel)}
		}
	}
	columns = append(columns, column{"state", false})
	metrics := make([][]string, len(metricNames()))
	for j, name := range metricNames() {
		columns = append(columns, column{name, true})
		numbers := make([]*float64, len(rows))
		for i, r := range rows {
			numbers[i] = r.metrics()[j]
		}
		metrics[j] = decimals(numbers)
	}
	for i, r := range rows {
		line := append([]string{r.name}, values[i]...)
		line = append(line, escape(string(r.state), maxWord))
		for j := range metrics {
			line = append(line, metrics[j][i])
		}
		lines = append(lines, line)
	}
	return columns, lines
}

// A setting is a part of a label.
type setting struct{ key, value string }

// maxKeys is the number of settings that have columns of their own.
const maxKeys = 12

// settingsOf splits a label such as "k=8 data=my rows" into its settings. A value may hold spaces. ok is false if the
// label does not have this form.
func settingsOf(label string) (out []setting, ok bool) {
	for _, part := range strings.Split(label, " ") {
		key, value, found := strings.Cut(part, "=")
		switch {
		case found && isKey(key):
			out = append(out, setting{key, value})
		case len(out) > 0:
			out[len(out)-1].value += " " + part
		default:
			return nil, false
		}
	}
	return out, len(out) <= maxKeys
}

// settingsLike returns the settings of a label if they have the same keys in the same order.
func settingsLike(keys []setting, label string, ok bool) ([]setting, bool) {
	out, is := settingsOf(label)
	same := func(a, b setting) bool { return a.key == b.key }
	return out, ok && is && slices.EqualFunc(keys, out, same)
}

// isKey reports whether a text is the key of a setting, as dict_size is.
func isKey(s string) bool {
	for i, r := range s {
		if !(r >= 'a' && r <= 'z' || i > 0 && (r == '_' || r == '.' || r >= '0' && r <= '9')) {
			return false
		}
	}
	return s != "" && len(s) <= maxWord
}
