//go:build cuda

package cuda

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// counted is random data that counts the rows read.
type counted struct {
	random
	read int64
	err  error
	bad  bool // batches have a row that does not exist
	gen  int  // of the identity
}

func (c *counted) Identity() string { return fmt.Sprint(c.random.Identity(), " ", c.gen) }

func (c *counted) Dataset() trainer.Dataset { return c }

func (c *counted) ReadStored(rows []int64, x []byte) error {
	c.read += int64(len(rows))
	if c.err != nil {
		return c.err
	}
	return c.random.ReadStored(rows, x)
}

func (c *counted) BatchRows(seed, step int64, rows []int64) error {
	err := c.random.BatchRows(seed, step, rows)
	if c.bad {
		rows[0] = c.rows
	}
	return err
}

// TestResidentRows checks that a data set is read once for all runs on it, and that its rows are freed
// for a model that needs its memory.
func TestResidentRows(t *testing.T) {
	made, err := New(0)
	if err != nil {
		t.Fatal(err)
	}
	b := made.(*backend)
	c := trainer.Config{
		Recipe: "corrected", ActivationDim: 8, DictSize: 20, K: 2, BatchSize: 16, Steps: 100, DecayStart: 9,
		LR: 1e-3, KAux: 3, DeadFeatureThreshold: 100, Precision: "f32",
	}
	start := func(c trainer.Config, data trainer.Batches) *model {
		t.Helper()
		m, err := b.New(c, trainer.Init(c), data)
		if err != nil {
			t.Fatal(err)
		}
		return m.(*model)
	}
	train := func(m *model, steps int64) error {
		for _, err := range m.Steps(context.Background(), steps) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	data := &counted{random: random{d: 8, rows: 1000}}
	for range 2 {
		one, two := start(c, data), start(c, data)
		for _, m := range []*model{one, two} {
			if m.resident == nil {
				t.Fatal("the data is not on the GPU")
			}
			if err := train(m, 1); err != nil {
				t.Fatal(err)
			}
			data.bad = true
			if err := train(m, 2); err == nil || !strings.Contains(err.Error(), "row 1000 of a data set of 1000") {
				t.Errorf("a row that is not there: error %v", err)
			}
			data.bad = false
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if data.read != 1000 {
		t.Errorf("%d rows were read, want 1000 once", data.read)
	}

	// Rows of another identity are read anew, also while a model trains on the old ones.
	old := start(c, data)
	data.gen++
	renewed := start(c, data)
	if data.read != 2000 || renewed.resident == old.resident {
		t.Errorf("with another identity %d rows were read in all, want 2000", data.read)
	}
	for _, m := range []*model{old, renewed} {
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}

	// A run that trains on a part of the rows only does not wait until all have been read.
	other := &counted{random: random{d: 8, rows: 2000}}
	m := start(c, other)
	if m.resident != nil || other.read > 0 {
		t.Errorf("a short run read %d rows, and its data is on the GPU: %v", other.read, m.resident != nil)
	}
	m.Close()

	// Data that do not fit are not held. An error in reading them is an error of New.
	c.Steps = 1 << 40
	for name, data := range map[string]*counted{
		"too large": {random: random{d: 8, rows: 1 << 40}},
		"broken":    {random: random{d: 8, rows: 50}, err: errors.New("the disk is gone")},
	} {
		m, err := b.New(c, trainer.Init(c), data)
		if data.err != nil {
			if !errors.Is(err, data.err) {
				t.Errorf("%s: error %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.(*model).resident != nil {
			t.Errorf("%s: the data is on the GPU", name)
		}
		m.Close()
	}

	// A data set that no model trains on is freed when a model needs its memory.
	if len(b.residents.rows) != 0 {
		t.Errorf("%d data sets are on the GPU after one that is too large", len(b.residents.rows))
	}
	start(c, data).Close()
	if data.read != 3000 || len(b.residents.rows) != 1 {
		t.Errorf("%d rows read, %d data sets held", data.read, len(b.residents.rows))
	}
	c.ActivationDim, c.DictSize = 4096, 1<<24
	if _, err := b.New(c, &trainer.State{}, nil); !errors.Is(err, trainer.ErrMemory) {
		t.Errorf("a model too large: %v", err)
	}
	if len(b.residents.rows) != 0 {
		t.Error("the rows stay although a model needs their memory")
	}
}

// many are rows in bfloat16 that take several parts.
type many struct{ random }

func (m *many) Format() trainer.Format { return trainer.Format{Type: trainer.BF16, Scale: 2} }

func (m *many) ReadStored(rows []int64, x []byte) error {
	numbers := driver.View[uint16](x)
	for i := range numbers {
		numbers[i] = uint16(7*rows[i/m.d]) + uint16(i%m.d)
	}
	return nil
}

// TestResidentParts copies a data set to the GPU whose last part is not full, and looks at all of it.
func TestResidentParts(t *testing.T) {
	b := opened(t, 0)
	leave, err := b.enter()
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	data := &many{random{d: 16384, rows: 5*partBytes/(2*16384)/2 + 7}}
	r, err := b.residents.get(b.dev, data)
	if err != nil || r == nil {
		t.Fatal(r, err)
	}
	defer b.residents.release(r)
	got, want := make([]byte, r.bytes), make([]byte, 2*16384)
	if r.bytes != data.rows*int64(len(want)) {
		t.Fatalf("%d rows take %d bytes", data.rows, r.bytes)
	}
	if err := b.dev.Download(got, r.memory); err != nil {
		t.Fatal(err)
	}
	for row := range data.rows {
		data.ReadStored([]int64{row}, want)
		if !bytes.Equal(got[row*int64(len(want)):][:len(want)], want) {
			t.Fatalf("row %d of %d is another", row, data.rows)
		}
	}
}
