package grid

import (
	"fmt"

	"github.com/topksweep/sweep/trainer"
)

// normalizeInit is the key that brings the rows of an init's W_dec to unit norm. It is no field of trainer.Config and
// no axis.
const normalizeInit = "normalize_init"

// An Init is what the cells that begin from a model must know of it.
type Init struct {
	Hash          string           // trainer.Config.Init: of the weights that training begins from
	ActivationDim int              // D
	DictSize      int              // F
	K             int              // 0 if the model's files do not say
	Norms         trainer.RowNorms // of W_dec, as the model's files have it
}

// Inits lists the paths that the key init has, as they are written, each once. Whoever reads the grid reads these
// models and calls SetInits, or InitErrors.
func (g *Grid) Inits() []string {
	var out []string
	seen := map[string]bool{}
	g.eachInit(func(v value) {
		if !seen[v.text] {
			seen[v.text] = true
			out = append(out, v.text)
		}
	})
	return out
}

// eachInit calls fn for each value of the key init that is a path: the constant, then those of the axis and of include.
func (g *Grid) eachInit(fn func(value)) {
	i := g.schema.index["init"]
	visit := func(v value) {
		if v.kind == file {
			fn(v)
		}
	}
	visit(g.base[i])
	if a := g.axisOf(i); a >= 0 {
		for _, v := range g.Axes[a].values {
			visit(v)
		}
	}
	for _, in := range g.include {
		for j, f := range in.fields {
			if f == i {
				visit(in.values[j])
			}
		}
	}
}

// SetInits says what lies at each path that Inits lists. Cells needs it.
func (g *Grid) SetInits(found map[string]Init) {
	if g.schema.inits = found; found == nil {
		g.schema.inits = map[string]Init{}
	}
}

// InitErrors returns the errors that reading the models of init met, by their paths. Each points to the values of the
// file that name the path.
func (g *Grid) InitErrors(errs map[string]error) Errors {
	var out Errors
	g.eachInit(func(v value) {
		if err := errs[v.text]; err != nil {
			out = append(out, Error{g.file, v.pos.line, v.pos.column, v.path, clip(err.Error(), 1000)})
		}
	})
	return out.sorted()
}

// initOf returns the model that a setting begins from: ok is false where it begins from drawn weights, and the model is
// nil while it is not read.
func (s *schema) initOf(setting []value) (in *Init, ok bool) {
	v := setting[s.index["init"]]
	if v.kind != file {
		return nil, false
	}
	if found, read := s.inits[v.text]; read {
		return &found, true
	}
	return nil, true
}

// applyInit sets what a setting takes from the model that it begins from: its hash, and its dict_size and k if the grid
// does not give them.
func (s *schema) applyInit(setting []value, c *trainer.Config) {
	in, _ := s.initOf(setting)
	if in == nil {
		return
	}
	c.Init = in.Hash
	if setting[s.index["dict_size"]].path == "" {
		c.DictSize = in.DictSize
	}
	if setting[s.index["k"]].path == "" && in.K > 0 {
		c.K = in.K
	}
}

// fieldsOfModels returns the indices of dict_size and k, as far as they are no axes, if settings may have them from the
// models that they begin from.
func (g *Grid) fieldsOfModels() (out []int) {
	if len(g.schema.inits) == 0 {
		return nil
	}
	for _, key := range []string{"dict_size", "k"} {
		if f := g.schema.index[key]; g.axisOf(f) < 0 {
			out = append(out, f)
		}
	}
	return out
}

// textOf returns the value of a field in a setting that resolves to c: as it is written; where models may give it and
// the grid does not, as it came out. So are steps that the grid does not give with the key length (Grid.lengthKey).
func (s *schema) textOf(setting []value, f int, c trainer.Config, length string) string {
	field := s.fields[f]
	if field.Key == stepsKey && keyOf(field, setting[f]) != length {
		return fmt.Sprint(c.Steps)
	}
	if len(s.inits) > 0 && setting[f].path == "" && (field.Key == "dict_size" || field.Key == "k") {
		return fmt.Sprint(field.Get(c))
	}
	return setting[f].text
}

// checkInit returns why a setting that resolves to c cannot begin from its model.
func (s *schema) checkInit(setting []value, c trainer.Config) (errs []trainer.FieldError) {
	in, _ := s.initOf(setting)
	if in == nil {
		return nil
	}
	bad := func(format string, a ...any) {
		errs = append(errs, trainer.FieldError{Key: "init", Msg: fmt.Sprintf(format, a...)})
	}
	if c.ActivationDim > 0 && in.ActivationDim != c.ActivationDim {
		bad("a model of rows of width %d, and those of the data have width %d: want a model of such activations",
			in.ActivationDim, c.ActivationDim)
	}
	if in.DictSize != c.DictSize {
		bad("a model of %d latents, and dict_size is %d: leave dict_size out, or give it that value",
			in.DictSize, c.DictSize)
	}
	if in.Norms.OffUnit > 0 && !s.normalizeInit {
		zeros := ""
		if in.Norms.Zero > 0 {
			zeros = fmt.Sprintf(", but for %d rows of zeros, which begin as they are", in.Norms.Zero)
		}
		bad("%d of %d rows of W_dec are not at unit norm (%.4g to %.4g): write %s: true beside it, which brings them to it%s",
			in.Norms.OffUnit, in.DictSize, in.Norms.Min, in.Norms.Max, normalizeInit, zeros)
	}
	return errs
}

// readNormalizeInit reads an entry of train or parameters if it is normalize_init, and says whether it is.
func (p *parser) readNormalizeInit(e entry, section string) bool {
	if e.key != normalizeInit {
		return false
	}
	path := join(section, e.key)
	switch e.value.kind {
	case unreadableNode:
	case scalarNode:
		if err := setBool(&p.grid.NormalizeInit)(e.value); err != nil {
			p.errorf(e.value.pos, path, "%v", err)
		}
		if p.schema.normalizeInit = p.grid.NormalizeInit; p.grid.NormalizeInit {
			p.normalizeInit = e.value.pos
			p.normalizeInitAt = path
		}
	case listNode:
		p.errorf(e.value.pos, path, "not an axis: want true or false, for all models of the grid")
	default:
		p.errorf(e.value.pos, path, "want true or false")
	}
	return true
}

// checkNormalizeInit reports normalize_init in a grid without an init.
func (p *parser) checkNormalizeInit() {
	if p.normalizeInitAt != "" && len(p.errs) == 0 && len(p.grid.Inits()) == 0 {
		p.errorf(p.normalizeInit, p.normalizeInitAt, "no cell has an init: leave it out")
	}
}
