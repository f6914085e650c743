package grid

import "github.com/topksweep/sweep/trainer"

// maxDirections bounds the numbers in the directions of synthetic data, as
// trainer/data does, which holds them in memory.
const maxDirections = 1 << 31

// data reads the section data.
func (p *parse) data(root *node) {
	d, s := &p.grid.Data, new(trainer.Synthetic)
	table := dataOptions(d, s)
	if err := setDefaults(table); err != nil {
		p.errorf(root.pos, "data", "%v", err)
	}
	e := root.get("data")
	if e == nil {
		p.errorf(root.pos, "data", "missing: it says what to train on, a source or synthetic")
		return
	}
	n := e.value
	if n.kind != dict {
		p.wrong(n, "data", "want a map with source or synthetic")
		return
	}
	p.options(n, "data", table)
	synthetic, source := n.get("synthetic"), n.get("source")
	if synthetic != nil {
		d.Synthetic = s
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
	if synthetic == nil || synthetic.value.kind != dict {
		return
	}
	if active := synthetic.value.get("active"); active != nil && s.Directions > 0 && s.Active > float64(s.Directions) {
		p.errorf(active.value.pos, "data.synthetic.active", "%s is more than the %d directions", short(s.Active), s.Directions)
	}
	if most := maxDirections / int64(max(s.ActivationDim, 1)); int64(s.Directions) > most {
		p.errorf(synthetic.value.get("directions").value.pos, "data.synthetic.directions", "%d are more than the %d that there may be of width %d", s.Directions, most, s.ActivationDim)
	}
	tokens, eval := synthetic.value.get("tokens"), n.get("eval_tokens")
	switch auto := eval == nil || eval.value.text == "auto"; {
	case s.Tokens == 0: // reported
	case auto && s.Tokens < 10:
		p.errorf(tokens.value.pos, "data.synthetic.tokens", "eval_tokens auto holds out a tenth, and a tenth of %d is none: give at least 10, or set eval_tokens", s.Tokens)
	case !auto && d.EvalTokens >= s.Tokens:
		p.errorf(eval.value.pos, "data.eval_tokens", "%d leaves none of the %d tokens to train on", d.EvalTokens, s.Tokens)
	}
}

// run reads the section run.
func (p *parse) run(root *node) {
	r := &p.grid.Run
	table := runOptions(r)
	if err := setDefaults(table); err != nil {
		p.errorf(root.pos, "run", "%v", err)
	}
	e := root.get("run")
	if e == nil || e.value.kind == null {
		return
	}
	if e.value.kind != dict {
		p.wrong(e.value, "run", "want a map")
		return
	}
	p.options(e.value, "run", table)
	if max := e.value.get("max_failed"); max != nil && r.FailFast && r.MaxFailed > 1 {
		p.errorf(max.pos, "run.max_failed", "fail_fast is given too: want one of them")
	}
}
