package figures

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/table"
)

// A Set is the figures that some tables hold the data of, in a fixed order.
type Set struct {
	Figures []Figure
	LeftOut []LeftOut
	// WithoutFit are figures that are drawn without a fit, or without some of their fits.
	WithoutFit []LeftOut
}

// LeftOut is a figure that is not drawn, or not with all its parts.
type LeftOut struct {
	Name string // of the figure
	Why  string // of a figure without a fit it begins with "drawn without"
}

// Make makes all figures that the data are there for. results and curves are as sweep/report makes them; curves, or
// results, may be without columns. The error is about the tables, see runsOf, or that of the context.
func Make(ctx context.Context, results, curves *table.Table) (Set, error) {
	results, curves = withDictSize(results), withDictSize(curves)
	var runs []run
	if len(results.Columns) > 0 {
		var err error
		if runs, err = runsOf(results); err != nil {
			return Set{}, err
		}
	}
	paths, err := pathsOf(curves)
	if err != nil {
		return Set{}, err
	}
	fits, err := fit(ctx, results, curves, paths)
	if err != nil {
		return Set{}, err
	}
	var s Set
	s.add("nmse-by-dict-size", func(f *Figure) string { return f.nmseByDictSize(runs, fits) })
	s.add("nmse-by-k", func(f *Figure) string { return f.nmseByK(runs, fits) })
	s.add("nmse-by-flops", func(f *Figure) string { return f.nmseByFlops(paths, fits) })
	s.add("dead-latents", func(f *Figure) string { return f.deadLatents(runs) })
	s.add("auxk-dead", func(f *Figure) string { return f.auxkDead(runs) })
	s.add("curves", func(f *Figure) string { return f.curves(paths, runs) })
	s.add("nmse-by-l0", func(f *Figure) string { return f.nmseByL0(runs) })
	for _, f := range s.Figures {
		switch {
		case strings.HasPrefix(f.Name, "nmse-by-dict") || f.Name == "nmse-by-k":
			s.addWhy(f.Name, fits.nmseWhy)
		case f.Name == "nmse-by-flops":
			s.addWhy(f.Name, fits.computeWhy)
		}
	}
	return s, nil
}

// withDictSize returns a table whose column of the latents is dict_size. A file may call it n, as sweep/scaling reads
// it.
func withDictSize(t *table.Table) *table.Table {
	n := t.Index("n")
	if n < 0 || t.Index("dict_size") >= 0 {
		return t
	}
	out := table.Table{Columns: slices.Clone(t.Columns), Rows: t.Rows}
	out.Columns[n].Name = "dict_size"
	return &out
}

// addWhy says that a figure is drawn without its fit, if there is a reason.
func (s *Set) addWhy(name, why string) {
	if why != "" {
		s.WithoutFit = append(s.WithoutFit, LeftOut{name, why})
	}
}

// add adds the figure that fill makes, or its reason why there is none.
func (s *Set) add(name string, fill func(f *Figure) string) {
	f := Figure{Name: name}
	if why := fill(&f); why != "" {
		s.LeftOut = append(s.LeftOut, LeftOut{name, why})
		return
	}
	s.Figures = append(s.Figures, f)
}

// note adds a sentence to the notes of a figure.
func (f *Figure) note(format string, values ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, values...))
}

// selection says in a sentence what a marker stands for.
func (c chosen) selection(what string) string {
	out := what + ": one run"
	switch {
	case c.seeds > 1 && c.least == c.seeds:
		out = fmt.Sprintf("%s: mean of %d seeds", what, c.seeds)
	case c.seeds > 1:
		out = fmt.Sprintf("%s: mean of %d to %d seeds", what, c.least, c.seeds)
	}
	if len(c.varied) > 0 {
		out += " with the best " + list(c.varied)
	}
	return out + "."
}

// list joins words, as in "a, b and c".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// pick chooses at most a number of values, the first and the last among them.
func pick(values []float64, most int) []float64 {
	if len(values) <= most {
		return values
	}
	var out []float64
	for i := range most {
		out = append(out, values[(i*(len(values)-1)+(most-1)/2)/(most-1)])
	}
	return out
}
