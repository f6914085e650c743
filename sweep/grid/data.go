package grid

import (
	"slices"

	"github.com/topksweep/sweep/trainer"
)

// maxDirectionValues limits directions × activation_dim of synthetic data: trainer/data holds this many numbers in
// memory, and has the same limit.
const maxDirectionValues = 1 << 31

// minAutoTokens is the number of rows from which on a tenth of them is at least one row (eval_tokens: auto).
const minAutoTokens = 10

// readData reads the section data.
func (p *parser) readData(root *node) {
	shared := &dataSection{parser: p, synthetic: new(trainer.Synthetic), raw: new(trainer.Raw)}
	shared.path, shared.Data = "data", &p.grid.Data
	table := dataOptions(shared.Data, shared.synthetic, shared.raw)
	if err := setDefaults(table); err != nil {
		p.errorf(root.pos, "data", "%v", err)
	}
	p.grid.Sets = []Set{shared.Set}
	e := root.get("data")
	if e == nil {
		p.errorf(root.pos, "data", "missing: it says what to train on, a source or synthetic")
		return
	}
	n := e.value
	if n.kind != mapNode {
		p.wrongKind(n, "data", "want a map with source or synthetic")
		return
	}
	sets := n.get("sets")
	shared.at, shared.node = e.pos, n
	p.readOptions(without(n, sets), "data", table)
	if sets == nil {
		shared.check()
		p.grid.Sets = []Set{shared.Set}
		return
	}
	p.readSets(sets, shared)
}

// without returns a map without one of its entries.
func without(n *node, e *entry) *node {
	if e == nil {
		return n
	}
	out := *n
	out.entries = slices.DeleteFunc(slices.Clone(n.entries), func(x entry) bool { return x.key == e.key })
	return &out
}

// readSets reads data.sets. What stands beside it in the section data is for all sets: each has a copy, over which its
// own keys are read.
func (p *parser) readSets(e *entry, shared *dataSection) {
	const path = "data.sets"
	p.unreadableSets = true
	if e.value.kind != mapNode {
		p.wrongKind(e.value, path, "want a map of named data sets, as in l3: {source: acts/l3}")
		return
	}
	switch n := len(e.value.entries); {
	case n == 0:
		p.errorf(e.value.pos, path, "an empty map: name at least one data set, as in l3: {source: acts/l3}")
		return
	case n > maxSets:
		p.errorf(e.value.pos, path, "%d data sets: more than the limit of %d", n, maxSets)
		return
	}
	p.unreadableSets = false
	of := p.grid.Data
	p.grid.Sets, p.grid.Data = nil, trainer.DataSpec{}
	for _, e := range e.value.entries {
		at, spec := join(path, e.key), of
		d := &dataSection{
			parser: p, shared: shared, node: e.value, synthetic: new(trainer.Synthetic), raw: new(trainer.Raw),
		}
		d.Name, d.Data, d.path, d.at = e.key, &spec, at, e.pos
		if !setNameRE.MatchString(e.key) {
			p.errorf(e.pos, at, "not a name of a data set: want at most 64 of a-z, 0-9, _, . and -, "+
				"beginning with a letter or a digit")
		}
		if err := setDefaults(syntheticOptions(d.synthetic)); err != nil {
			p.errorf(e.pos, at, "%v", err)
		}
		if e.value.kind == mapNode {
			p.readOptions(e.value, at, slices.DeleteFunc(dataOptions(d.Data, d.synthetic, d.raw),
				func(o option) bool { return o.key == "sets" }))
			d.check()
		} else {
			p.wrongKind(e.value, at, "want a map with source or synthetic")
		}
		p.grid.Sets = append(p.grid.Sets, d.Set)
	}
	p.nameSets()
}

// A dataSection is the section data, or one of data.sets, while it is read.
type dataSection struct {
	Set
	parser    *parser
	shared    *dataSection // of a set: the section data, whose keys it has too; else nil
	node      *node
	synthetic *trainer.Synthetic // what the section's own key synthetic is read into
	raw       *trainer.Raw       // the same for raw
}

// get returns the entry of a key, and the section that has it: this one, or the one around it. Without an entry it
// returns nil.
func (d *dataSection) get(key string) (e *entry, of *dataSection) {
	if e = d.node.get(key); e == nil && d.shared != nil {
		return d.shared.get(key)
	}
	return e, d
}

// check checks a section that is read, and notes the positions of what it names.
func (d *dataSection) check() {
	p := d.parser
	source, _ := d.get("source")
	synthetic, of := d.get("synthetic")
	if d.shared != nil { // its own source or synthetic takes the place of what all sets have
		switch own := d.node; {
		case own.get("source") != nil && own.get("synthetic") == nil:
			synthetic = nil
		case own.get("synthetic") != nil && own.get("source") == nil:
			source, d.Data.Source = nil, ""
		}
	}
	if synthetic != nil {
		d.Data.Synthetic = of.synthetic
	}
	raw, ofRaw := d.get("raw")
	tensor, ofTensor := d.get("tensor")
	if raw != nil {
		d.Data.Raw = ofRaw.raw
		if tensor != nil {
			p.errorf(tensor.pos, ofTensor.path+".tensor", "files of bare numbers (raw) hold no tensors: remove one of the two")
		}
	}
	for _, e := range []*entry{raw, tensor} {
		if e != nil && synthetic != nil {
			p.errorf(e.pos, join(d.path, e.key), "synthetic data have no files: remove it")
		}
	}
	for _, e := range []*entry{source, synthetic} {
		if e != nil {
			d.source = e.value.pos
		}
	}
	switch {
	case synthetic != nil && source != nil:
		p.errorf(synthetic.pos, of.path+".synthetic", "source is given too: want one of them")
	case synthetic == nil && source == nil:
		p.errorf(d.at, d.path, "want source or synthetic")
	}
	if e, of := d.get("eval_source"); e != nil {
		d.evalSource = e.value.pos
		if synthetic != nil {
			p.errorf(e.pos, of.path+".eval_source", "synthetic data hold out rows of their own: remove it")
		}
	}
	if e, of := d.get("max_norm"); e != nil && synthetic != nil {
		p.errorf(e.pos, of.path+".max_norm", "synthetic rows are not left out: remove it")
	}
	if synthetic != nil && synthetic.value.kind == mapNode {
		d.checkSynthetic(synthetic.value, of.path+".synthetic")
	}
}

// checkSynthetic checks the rules that relate the keys of synthetic to each other and to eval_tokens. n is the value of
// synthetic.
func (d *dataSection) checkSynthetic(n *node, path string) {
	p, s := d.parser, d.Data.Synthetic
	if active := n.get("active"); active != nil && s.Directions > 0 && s.Active > float64(s.Directions) {
		p.errorf(active.value.pos, path+".active",
			"%s is more than the %d directions", formatFloat(s.Active), s.Directions)
	}
	if limit := maxDirectionValues / int64(max(s.ActivationDim, 1)); int64(s.Directions) > limit {
		p.errorf(n.get("directions").value.pos, path+".directions",
			"%d are more than the %d that there may be of width %d", s.Directions, limit, s.ActivationDim)
	}
	eval, of := d.get("eval_tokens")
	switch auto := eval == nil || eval.value.text == "auto"; {
	case s.Tokens == 0: // tokens is missing or wrong, which has been reported
	case auto && s.Tokens < minAutoTokens:
		p.errorf(n.get("tokens").value.pos, path+".tokens",
			"eval_tokens auto holds out a tenth, and a tenth of %d is none: give at least 10, or set eval_tokens",
			s.Tokens)
	case !auto && d.Data.EvalTokens >= s.Tokens:
		p.errorf(eval.value.pos, of.path+".eval_tokens",
			"%d leaves none of the %d tokens to train on", d.Data.EvalTokens, s.Tokens)
	}
}
