package grid

import "github.com/topksweep/sweep/trainer"

// maxDirectionValues limits directions × activation_dim of synthetic data: trainer/data holds this many numbers in
// memory, and has the same limit.
const maxDirectionValues = 1 << 31

// minAutoTokens is the number of rows from which on a tenth of them is at least one row (eval_tokens: auto).
const minAutoTokens = 10

// readData reads the section data.
func (p *parser) readData(root *node) {
	d, s, r := &p.grid.Data, new(trainer.Synthetic), new(trainer.Raw)
	table := dataOptions(d, s, r)
	if err := setDefaults(table); err != nil {
		p.errorf(root.pos, "data", "%v", err)
	}
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
	p.readOptions(n, "data", table)
	synthetic, source := n.get("synthetic"), n.get("source")
	if synthetic != nil {
		d.Synthetic = s
	}
	raw, tensor := n.get("raw"), n.get("tensor")
	if raw != nil {
		d.Raw = r
		if tensor != nil {
			p.errorf(tensor.pos, "data.tensor", "files of bare numbers (raw) hold no tensors: remove one of the two")
		}
	}
	for _, e := range []*entry{raw, tensor} {
		if e != nil && synthetic != nil {
			p.errorf(e.pos, "data."+e.key, "synthetic data have no files: remove it")
		}
	}
	for _, e := range []*entry{source, synthetic} {
		if e != nil {
			p.grid.source = e.value.pos
		}
	}
	switch {
	case synthetic != nil && source != nil:
		p.errorf(synthetic.pos, "data.synthetic", "source is given too: want one of them")
	case synthetic == nil && source == nil:
		p.errorf(e.pos, "data", "want source or synthetic")
	}
	if e := n.get("eval_source"); e != nil {
		p.grid.evalSource = e.value.pos
		if synthetic != nil {
			p.errorf(e.pos, "data.eval_source", "synthetic data hold out rows of their own: remove it")
		}
	}
	if e := n.get("max_norm"); e != nil && synthetic != nil {
		p.errorf(e.pos, "data.max_norm", "synthetic rows are not left out: remove it")
	}
	if synthetic != nil && synthetic.value.kind == mapNode {
		p.checkSynthetic(synthetic.value, n.get("eval_tokens"))
	}
}

// checkSynthetic checks the rules that relate the keys of data.synthetic to each other and to eval_tokens. n is the
// value of data.synthetic. eval is nil if eval_tokens is not given.
func (p *parser) checkSynthetic(n *node, eval *entry) {
	d := p.grid.Data
	s := d.Synthetic
	if active := n.get("active"); active != nil && s.Directions > 0 && s.Active > float64(s.Directions) {
		p.errorf(active.value.pos, "data.synthetic.active",
			"%s is more than the %d directions", formatFloat(s.Active), s.Directions)
	}
	if limit := maxDirectionValues / int64(max(s.ActivationDim, 1)); int64(s.Directions) > limit {
		p.errorf(n.get("directions").value.pos, "data.synthetic.directions",
			"%d are more than the %d that there may be of width %d", s.Directions, limit, s.ActivationDim)
	}
	switch auto := eval == nil || eval.value.text == "auto"; {
	case s.Tokens == 0: // tokens is missing or wrong, which has been reported
	case auto && s.Tokens < minAutoTokens:
		p.errorf(n.get("tokens").value.pos, "data.synthetic.tokens",
			"eval_tokens auto holds out a tenth, and a tenth of %d is none: give at least 10, or set eval_tokens",
			s.Tokens)
	case !auto && d.EvalTokens >= s.Tokens:
		p.errorf(eval.value.pos, "data.eval_tokens",
			"%d leaves none of the %d tokens to train on", d.EvalTokens, s.Tokens)
	}
}
