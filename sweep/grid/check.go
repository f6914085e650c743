package grid

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
)

// tooManyCells reports a grid above the limit of ParseOptions.MaxCells. n is the product of the axes.
func (p *parser) tooManyCells(n int64) {
	var factors []string
	for _, gr := range p.grid.groups {
		factors = append(factors, fmt.Sprintf("%d %s", gr.length, p.grid.Axes[gr.axes[0]].Key))
	}
	what := humanize.Comma(n)
	if n == manySettings {
		what = "more than 10^18"
	}
	if len(p.grid.include) > 0 {
		what += fmt.Sprintf(" and %d of include", len(p.grid.include))
	}
	p.errorf(p.grid.parameters, "parameters",
		"%s cells (%s): more than the limit of %s, which --max-cells raises",
		what, strings.Join(factors, " × "), humanize.Comma(int64(p.opts.MaxCells)))
}

const (
	// maxConflictMessages is the number of different messages that are reported at one value.
	maxConflictMessages = 3

	// maxConflictingSettings is the number of settings with a conflict after which check stops.
	maxConflictingSettings = 20_000
)

// A conflict is what is wrong with one value of the file, in one or several settings.
type conflict struct {
	value
	messages []string
	more     bool // there are more messages
}

// check checks all settings by the rules of schema.check, each on data whose size size gives (zero: not known yet). It
// reports a conflict once at each value, not once for each setting. With onlyWritten it leaves out conflicts with
// values that the file does not give. The grid
//
//	parameters: {k: [16, 4096], dict_size: [1024, 2048, 8192], seed: [0, 1, 2]}
//
// has six settings in which k is larger than dict_size. check reports one error, at the value 4096:
// 4096 is larger than dict_size 1024; 4096 is larger than dict_size 2048.
func (g *Grid) check(size func(set int) dataSize, onlyWritten bool) Errors {
	var (
		conflicts   []*conflict
		index       = map[string]*conflict{} // from the position and path of a value
		reported    = map[string]bool{}      // position, path and message
		anySetting  = false
		conflicting int // number of settings
		isNew       = g.newCombinations()
		setOf       = g.setOf()
	)
	g.settings(func(setting []value, indices []int) bool {
		anySetting = true
		if indices != nil && !isNew(indices) {
			return true
		}
		on := size(setOf(setting))
		errs := g.schema.check(setting, g.schema.config(setting, on), on)
		if len(errs) > 0 {
			conflicting++
		}
		for _, e := range errs {
			v, written := g.locate(setting, e.Key, e.Msg)
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
			switch key := at + e.Msg; {
			case reported[key]:
			case len(c.messages) < maxConflictMessages:
				reported[key] = true
				c.messages = append(c.messages, e.Msg)
			default:
				c.more = true
			}
		}
		return conflicting < maxConflictingSettings
	})
	var errs Errors
	add := func(pos position, path, msg string) {
		errs = append(errs, Error{g.file, pos.line, pos.column, path, msg})
	}
	if !anySetting {
		add(g.exclude[0].pos, "exclude", "every cell is excluded")
	}
	for _, c := range conflicts {
		msg := strings.Join(c.messages, "; ")
		if c.more {
			msg += "; and more like it"
		}
		if key, ok := strings.CutPrefix(c.path, presetPath); ok {
			msg += "; " + key + " in train or parameters goes before the preset"
		}
		add(c.pos, c.path, msg)
	}
	return errs
}

// independentFields lists the fields that no rule of trainer.Config.Validate relates to another field. A test compares
// the list with Validate.
func independentFields() []string {
	return []string{
		"auxk_alpha", "batch_size", "lr", "threshold_start_step", "threshold_beta", "dead_feature_threshold", "seed",
	}
}

// newCombinations returns a function that reports whether a setting is the first with its values of the dependent
// fields. Settings that differ only in independentFields are checked once, so that a grid of many seeds is checked
// quickly.
func (g *Grid) newCombinations() func(indices []int) bool {
	independent := independentFields()
	if g.hasLength() { // steps follow from batch_size
		independent = slices.DeleteFunc(independent, func(key string) bool { return key == "batch_size" })
	}
	var dependent []group
	size := 1
	for _, gr := range g.groups {
		if slices.ContainsFunc(gr.axes, func(a int) bool { return !slices.Contains(independent, g.Axes[a].Key) }) {
			dependent = append(dependent, gr)
			size *= gr.length
		}
	}
	seen := make([]bool, size)
	return func(indices []int) bool {
		i := 0
		for _, gr := range dependent {
			i = i*gr.length + indices[gr.axes[0]]
		}
		first := !seen[i]
		seen[i] = true
		return first
	}
}

var wordRE = regexp.MustCompile(`[a-z][a-z0-9_]*`)

// locate returns the value of the file at which an error about a field is reported. written reports whether the file
// gives the values of all fields that the message names.
//
// A default has no position in the file. Its error is reported at another value that the message names, else at the
// section parameters.
func (g *Grid) locate(setting []value, key, msg string) (v value, written bool) {
	f := g.schema.index[key]
	v, written = setting[f], setting[f].path != ""
	for _, word := range wordRE.FindAllString(msg, -1) {
		if i, ok := g.schema.index[word]; ok && i != f && i != g.schema.data { // there "data" is the word
			if setting[i].path == "" {
				written = false
			} else if v.path == "" {
				v = setting[i]
			}
		}
	}
	if v.path == "" {
		v = value{pos: g.parameters, path: "parameters"}
	}
	return v, written
}
