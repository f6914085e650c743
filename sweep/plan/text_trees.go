package plan

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
)

// shownStages is the number of stages that a plan lists unless all are asked
// for: trees whole, as many as fit, and at least one.
const shownStages = 24

// writeTrees writes the stage trees as they are if no latent is ever dead, each
// stage below the one at whose end it begins.
func (p *Plan) writeTrees(b *strings.Builder, all bool) {
	shared := slices.DeleteFunc(slices.Clone(p.todo), func(t Tree) bool { return len(t.Cells) == 1 })
	if len(shared) == 0 {
		return
	}
	b.WriteByte('\n')
	lines, shown, untilDead := 0, 0, false
	for _, t := range shared {
		rows := p.stageRows(t)
		if !all && shown > 0 && lines+len(rows) > shownStages {
			break
		}
		for _, r := range rows {
			untilDead = untilDead || r.forks
			fmt.Fprintf(b, "  %s%s\n", strings.Repeat("  ", r.depth), r.text)
		}
		lines += len(rows)
		shown++
	}
	if n := len(shared) - shown; n > 0 {
		fmt.Fprintf(b, "  … and %s more trees; --all lists them\n", humanize.Comma(int64(n)))
	}
	if untilDead && p.StepsShared > p.StepsLeast {
		fmt.Fprintf(b, "  Where the first latent is dead%s, a trunk forks by AuxK.\n", p.earliest())
	}
}

// earliest says from which step on latents can be dead, if that is the same for
// all cells.
func (p *Plan) earliest() string {
	first := firstDead(p.Cells[0].Config)
	for _, c := range p.Cells {
		if firstDead(c.Config) != first {
			return ""
		}
	}
	return fmt.Sprintf(", at step %s or later", humanize.Comma(int64(first)))
}

// A stageRow is one stage of a tree in print.
type stageRow struct {
	depth int
	text  string
	forks bool // it ends where the first latent is dead, and has several AuxK settings
}

// stageRows lists the stages of a tree, each behind the one at whose end it begins.
func (p *Plan) stageRows(t Tree) []stageRow {
	f := forecast{Tree: t, dead: math.MaxInt}
	var rows []stageRow
	var add func(s Stage, depth int, known map[string]bool)
	add = func(s Stage, depth int, known map[string]bool) {
		what := "trunk"
		if s.Level == LevelRun || s.Level == LevelSchedule {
			what = "branch"
		}
		text := fmt.Sprintf("%s %s → %s", what, humanize.Comma(int64(s.From)), humanize.Comma(int64(s.To)))
		known = maps.Clone(known)
		for _, v := range p.common(s.Cells) {
			if !known[v] {
				text += "  " + v
				known[v] = true
			}
		}
		if n := len(s.Cells); n > 1 {
			text += fmt.Sprintf("  (%d cells)", n)
		}
		several := slices.ContainsFunc(s.Cells, func(c TreeCell) bool { return c.AuxK != s.Cells[0].AuxK })
		rows = append(rows, stageRow{depth, text, several && s.Level.UntilDead()})
		for _, n := range s.Next(f.reaches(s)) {
			add(n, depth+1, known)
		}
	}
	for _, s := range Roots(t.Cells) {
		add(s, 0, map[string]bool{})
	}
	return rows
}

// common lists the values, as key=value, that all of the cells have.
func (p *Plan) common(cells []TreeCell) []string {
	var out []string
	for i, key := range p.Axes {
		value := func(c TreeCell) string {
			if v := p.Cells[c.Cell].Values; i < len(v) {
				return v[i]
			}
			return ""
		}
		first := value(cells[0])
		differs := func(c TreeCell) bool { return value(c) != first }
		if first != "" && !slices.ContainsFunc(cells, differs) {
			out = append(out, key+"="+first)
		}
	}
	return out
}
