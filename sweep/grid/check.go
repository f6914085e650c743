package grid

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
)

// tooMany reports a grid over the size limit.
func (p *parse) tooMany(n int64) {
	var factors []string
	for _, gr := range p.grid.groups {
		factors = append(factors, fmt.Sprintf("%d %s", gr.n, p.grid.Axes[gr.axes[0]].Key))
	}
	what := humanize.Comma(n)
	if n == math.MaxInt64/2 {
		what = "more than 10^18"
	}
	if len(p.grid.include) > 0 {
		what += fmt.Sprintf(" and %d of include", len(p.grid.include))
	}
	p.errorf(p.grid.params, "parameters", "%s cells (%s): more than the limit of %s, which --max-cells raises", what, strings.Join(factors, " × "), humanize.Comma(int64(p.opts.MaxCells)))
}

// freeFields are the fields that no rule of trainer.Config.Validate relates to
// another one: cells that differ in them alone are checked once. A test holds
// the list against Validate.
func freeFields() []string {
	return []string{"auxk_alpha", "batch_size", "lr", "threshold_start_step", "threshold_beta", "dead_feature_threshold", "seed"}
}

// most bounds the distinct conflicts of one value that are spelt out.
const most = 3

// tooManyConflicts is the number of conflicting settings after which the rest is
// not looked at.
const tooManyConflicts = 20_000

// A conflict is what is wrong with one value of the file.
type conflict struct {
	value
	msgs []string
	more int
}

// check returns what is wrong with the cells on data of width dim (0: not known
// yet): a conflict is reported once at each value that has one, not once for
// each cell. With onlyWritten set, conflicts with a default are left out.
func (g *Grid) check(dim int, onlyWritten bool) Errors {
	var (
		conflicts []*conflict
		index     = map[string]*conflict{}
		seen      = map[string]bool{}
		live      = false
		bad       int
		visit     = g.visitor()
	)
	g.settings(func(setting []value, at []int) bool {
		live = true
		if at != nil && !visit(at) {
			return true
		}
		errs := g.schema.config(setting, dim).Validate()
		if len(errs) > 0 {
			bad++
		}
		for _, e := range errs {
			v, msg, written := g.blame(setting, e.Key, e.Msg)
			if onlyWritten && !written {
				continue
			}
			at := fmt.Sprint(v.pos, v.path)
			c := index[at]
			if c == nil {
				c = &conflict{value: v}
				index[at] = c
				conflicts = append(conflicts, c)
			}
			if key := at + msg; !seen[key] {
				if len(c.msgs) < most {
					seen[key] = true
					c.msgs = append(c.msgs, msg)
				} else {
					c.more++
				}
			}
		}
		return bad < tooManyConflicts
	})
	var errs Errors
	add := func(v value, msg string) {
		errs = append(errs, Error{g.file, v.pos.line, v.pos.column, v.path, msg})
	}
	if !live {
		add(value{pos: g.exclude[0].pos, path: "exclude"}, "every cell is excluded")
	}
	for _, c := range conflicts {
		msg := strings.Join(c.msgs, "; ")
		if c.more > 0 {
			msg += "; and more like it"
		}
		add(c.value, msg)
	}
	return errs
}

// visitor returns a function that tells whether a setting is the first with its
// values of the axes that Validate relates to one another.
func (g *Grid) visitor() func(at []int) bool {
	free := freeFields()
	var related []group
	size := 1
	for _, gr := range g.groups {
		if slices.ContainsFunc(gr.axes, func(a int) bool { return !slices.Contains(free, g.Axes[a].Key) }) {
			related = append(related, gr)
			size *= gr.n
		}
	}
	visited := make([]bool, size)
	return func(at []int) bool {
		i := 0
		for _, gr := range related {
			i = i*gr.n + at[gr.axes[0]]
		}
		first := !visited[i]
		visited[i] = true
		return first
	}
}

var wordRE = regexp.MustCompile(`[a-z][a-z0-9_]*`)

// blame returns the value of the file that an error about a field is reported
// at. That of a default is reported at a written value that the message names.
// written tells whether all fields concerned are written.
func (g *Grid) blame(setting []value, key, msg string) (v value, text string, written bool) {
	f := g.schema.index[key]
	v, text, written = setting[f], msg, true
	for _, w := range wordRE.FindAllString(msg, -1) {
		if i, ok := g.schema.index[w]; ok && i != f {
			if setting[i].path == "" {
				written = false
			} else if v.path == "" {
				v = setting[i]
			}
		}
	}
	if setting[f].path != "" {
		return v, text, written
	}
	text = fmt.Sprintf("%s is %s by default: %s", key, g.schema.fields[f].Default, msg)
	if v.path == "" {
		v = value{pos: g.params, path: "parameters"}
	}
	return v, text, false
}
