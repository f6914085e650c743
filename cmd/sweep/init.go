package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/models"
)

// gridInits are the models that cells of a grid begin from: of each its path, by its hash. The models themselves are
// not kept in memory: there may be many, and each may be large.
type gridInits struct {
	paths     map[string]string
	normalize bool // grid.Grid.NormalizeInit
}

// readInits reads the models that cells of a grid begin from, one after the other, and tells the grid what they are.
// Paths are relative to the folder base. Errors are of type grid.Errors and point to the values of init.
func readInits(ctx context.Context, g *grid.Grid, base string) (gridInits, error) {
	out := gridInits{map[string]string{}, g.NormalizeInit}
	found, bad := map[string]grid.Init{}, map[string]error{}
	for _, path := range g.Inits() {
		if ctx.Err() != nil {
			return out, context.Cause(ctx)
		}
		at := absoluteInit(path, base)
		in, err := readInit(at, g.NormalizeInit)
		if err != nil {
			bad[path] = err
			continue
		}
		found[path] = in.Init
		out.paths[in.Hash] = at
	}
	if len(bad) > 0 {
		return out, g.InitErrors(bad)
	}
	g.SetInits(found)
	return out, nil
}

// An initModel is a model that cells begin from.
type initModel struct {
	grid.Init
	weights trainer.Params // at unit norm, if that is asked for
}

// readInit reads the model at a path. With normalize, rows of W_dec that are not at unit norm are brought to it.
func readInit(path string, normalize bool) (initModel, error) {
	m, _, err := models.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return initModel{}, fmt.Errorf("%w; want the folder of a model, relative to that of the grid", err)
	}
	if err != nil {
		return initModel{}, err
	}
	in := grid.Init{
		ActivationDim: m.ActivationDim, DictSize: m.DictSize, K: m.K,
		Norms: m.Norms(),
	}
	if normalize && in.Norms.OffUnit > 0 {
		m.Normalize()
		if err := m.Check(); err != nil {
			return initModel{}, fmt.Errorf("%s, with the rows of W_dec at unit norm: %w", path, err)
		}
	}
	in.Hash, err = ledger.InitHash(m.ActivationDim, m.DictSize, &m.W)
	return initModel{in, m.W}, err
}

// store stores the models that a plan's cells begin from, one after the other.
func (g gridInits) store(ctx context.Context, l *ledger.Ledger, inits []plan.Init) error {
	for _, in := range inits {
		if err := g.storeOne(ctx, l, in); err != nil {
			return err
		}
	}
	return nil
}

func (g gridInits) storeOne(ctx context.Context, l *ledger.Ledger, in plan.Init) error {
	m, err := readInit(g.paths[in.Hash], g.normalize)
	if err != nil {
		return inputError{fmt.Errorf("init %s: %w", in.Path, err)}
	}
	if m.Hash != in.Hash {
		return inputError{fmt.Errorf("init %s: the model has changed since the grid was read: try again", in.Path)}
	}
	if err := l.StoreInit(ctx, m.Hash, m.ActivationDim, m.DictSize, &m.weights); err != nil {
		return fmt.Errorf("init %s: %w", in.Path, err)
	}
	return nil
}

// keep stores those of the models again that are gone now that the plan is stored: sweep gc, which may run at the same
// time, removes models that no plan names.
func (g gridInits) keep(ctx context.Context, l *ledger.Ledger, inits []plan.Init) error {
	for _, in := range inits {
		if there, err := l.HasInit(ctx, in.Hash); err != nil {
			return err
		} else if !there {
			if err := g.storeOne(ctx, l, in); err != nil {
				return err
			}
		}
	}
	return nil
}

// absoluteInit is absoluteSource for the path of a model, without the separator at its end.
func absoluteInit(path, base string) string { return filepath.Clean(absoluteSource(path, base)) }
