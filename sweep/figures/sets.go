package figures

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// A NamedSet is the figures of one data set.
type NamedSet struct {
	Name string // of the data set
	Set
}

// Facets joins the figures of several data sets. A figure of one panel becomes one with a panel for each data set, all
// with the same axes, where colours and values on the axes mean the same in all of them. Any other stays one figure for
// each data set, with the name of that behind its own. The order is that of Make.
func Facets(sets []NamedSet) Set {
	var out Set
	var names []string // of figures
	for _, s := range sets {
		for _, f := range s.Figures {
			if !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
		out.LeftOut = append(out.LeftOut, named(s.Name, s.LeftOut)...)
		out.WithoutFit = append(out.WithoutFit, named(s.Name, s.WithoutFit)...)
	}
	for _, name := range names {
		var of []Figure
		var data []string
		for _, s := range sets {
			for _, f := range s.Figures {
				if f.Name == name {
					of, data = append(of, f), append(data, s.Name)
				}
			}
		}
		if joined, ok := facets(of, data); ok {
			out.Figures = append(out.Figures, joined)
			continue
		}
		for i, f := range of {
			f.Name += "-" + data[i]
			f.Title += ", data " + data[i]
			out.Figures = append(out.Figures, f)
		}
	}
	return out
}

// named says of which data set parts are that are left out.
func named(data string, parts []LeftOut) []LeftOut {
	var out []LeftOut
	for _, l := range parts {
		out = append(out, LeftOut{l.Name + "-" + data, l.Why})
	}
	return out
}

// facets joins figures of one name; ok is false if they do not go together.
func facets(of []Figure, data []string) (joined Figure, ok bool) {
	if len(of) < 2 || len(of) > maxPanels {
		return Figure{}, false
	}
	joined = of[0]
	first := of[0].panels[0]
	x, y := first.x, first.y
	joined.panels, joined.Notes, joined.wide = nil, nil, 2
	for i, f := range of {
		p := f.panels[0]
		if len(f.panels) != 1 || !reflect.DeepEqual(f.keys, of[0].keys) ||
			!sameScale(p.x, first.x) || !sameScale(p.y, first.y) {
			return Figure{}, false
		}
		x.min, x.max = min(x.min, p.x.min), max(x.max, p.x.max)
		y.min, y.max = min(y.min, p.y.min), max(y.max, p.y.max)
		p.title = "data " + data[i]
		joined.panels = append(joined.panels, p)
	}
	x.marks = marksOf(joined.panels)
	for i := range joined.panels {
		joined.panels[i].x, joined.panels[i].y = x, y
	}
	joined.Notes = notesOf(of, data)
	return joined, true
}

// marksOf joins the marks of the panels' x axes.
func marksOf(panels []panel) (out []tick) {
	for _, p := range panels {
		for _, m := range p.x.marks {
			if !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	slices.SortFunc(out, func(a, b tick) int { return cmp.Compare(a.value, b.value) })
	return out
}

// sameScale reports whether values of two axes may stand on one.
func sameScale(a, b axis) bool { return a.label == b.label && a.log == b.log && a.ordinal == b.ordinal }

// notesOf joins the notes of figures: those that all have stand once, and the others behind the name of their data.
func notesOf(of []Figure, data []string) (out []string) {
	common := func(note string) bool {
		return !slices.ContainsFunc(of, func(f Figure) bool { return !slices.Contains(f.Notes, note) })
	}
	for i, f := range of {
		own := slices.DeleteFunc(slices.Clone(f.Notes), common)
		if i == 0 {
			out = slices.DeleteFunc(slices.Clone(f.Notes), func(n string) bool { return !common(n) })
		}
		if len(own) > 0 {
			out = append(out, "Data "+data[i]+": "+strings.Join(own, " "))
		}
	}
	return out
}
