//go:build cuda

package cuda

import (
	"errors"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// counted is a table that counts the rows read.
type counted struct {
	random
	read int64
	err  error
}

func (c *counted) Read(row int64, x []float32) error {
	c.read += int64(len(x) / c.d)
	if c.err != nil {
		return c.err
	}
	return c.random.Read(row, x)
}

// A table is read once for all runs on it, and makes room for a model that needs
// its place.
func TestTables(t *testing.T) {
	made, err := New(0)
	if err != nil {
		t.Fatal(err)
	}
	b := made.(*backend)
	c := trainer.Config{
		Recipe: "corrected", ActivationDim: 8, DictSize: 20, K: 2, BatchSize: 16, Steps: 100, DecayStart: 9, LR: 1e-3, KAux: 3,
		DeadFeatureThreshold: 100, Precision: "f32",
	}
	hold := func(c trainer.Config, s *trainer.State, table trainer.Table) trainer.Model {
		t.Helper()
		m, err := b.Hold(c, s, table)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	table := &counted{random: random{d: 8, rows: 1000}}
	for range 2 {
		one, two := hold(c, trainer.Init(c), table), hold(c, trainer.Init(c), table)
		for _, m := range []trainer.Model{one, two} {
			p, ok := m.(trainer.Picker)
			if !ok {
				t.Fatalf("the model is a %T", m)
			}
			if _, err := p.StepRows(make([]int64, 16)); err != nil {
				t.Fatal(err)
			}
			for name, rows := range map[string][]int64{"too few rows": {1}, "rows that are not there": make([]int64, 16)} {
				rows[0] = 1000
				if _, err := p.StepRows(rows); err == nil {
					t.Errorf("%s: no error", name)
				}
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if table.read != 1000 {
		t.Errorf("%d rows were read, want 1000 once", table.read)
	}

	// A run that would see but a part of the rows does not wait for them.
	other := &counted{random: random{d: 8, rows: 2000}}
	m := hold(c, trainer.Init(c), other)
	if _, ok := m.(trainer.Picker); ok || other.read > 0 {
		t.Errorf("a short run read %d rows, and is a %T", other.read, m)
	}
	m.Close()

	// Nor does one whose data do not fit, or fail to be read.
	c.Steps = 1 << 40
	for name, table := range map[string]*counted{
		"too large": {random: random{d: 8, rows: 1 << 40}},
		"broken":    {random: random{d: 8, rows: 50}, err: errors.New("the disk is gone")},
	} {
		m, err := b.Hold(c, trainer.Init(c), table)
		if table.err != nil {
			if !errors.Is(err, table.err) {
				t.Errorf("%s: error %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.(trainer.Picker); ok {
			t.Errorf("%s: the model is a %T", name, m)
		}
		m.Close()
	}

	// What no model trains on goes when a model needs its place.
	if len(b.tables.held) != 0 {
		t.Errorf("%d tables are on the GPU after one that is too large", len(b.tables.held))
	}
	hold(c, trainer.Init(c), table).Close()
	if table.read != 2000 || len(b.tables.held) != 1 {
		t.Errorf("%d rows read, %d tables held", table.read, len(b.tables.held))
	}
	c.ActivationDim, c.DictSize = 4096, 1<<24
	if _, err := b.New(c, &trainer.State{}); !errors.Is(err, trainer.ErrMemory) {
		t.Errorf("a model too large: %v", err)
	}
	if len(b.tables.held) != 0 {
		t.Error("the table stays although a model needs its place")
	}
}
