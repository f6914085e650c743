package activities

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

// A sweep is not trained on data that have changed since it was planned.
func TestDataChanged(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, func(p *plan.Plan) {
		other := *p.Data.Synthetic
		other.Seed++
		p.Data.Synthetic = &other
	}))
	err := w.train()
	wantType(t, err, "DataChanged", false)
	if err != nil && !strings.Contains(err.Error(), w.plan.Info.Fingerprint) {
		t.Errorf("%v does not name the fingerprint", err)
	}
	wantType(t, w.train(), "DataChanged", false) // the data are looked at again
}

// A worker that has read where the data lay looks for it where it lies now.
func TestMovedData(t *testing.T) {
	p := makePlan(t, nil)
	there := p.Data
	p.Data = trainer.DataSpec{Source: filepath.Join(t.TempDir(), "nowhere")}
	w := submit(t, openDir(t), p)
	if err := w.train(); err == nil {
		t.Fatal("trained without data")
	}
	p.Data = there
	if err := ledger.New(w.store).StorePlan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := w.train(); err != nil {
		t.Error(err)
	}
}

// Data that could not be opened are opened anew by the next attempt.
func TestDataTriedAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npy")
	write := func() {
		if err := os.WriteFile(path, someRows(2000, 6), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	from := strings.Index(gridYAML, "  synthetic:")
	to := strings.Index(gridYAML, "  normalize:")
	w := submit(t, openDir(t), planOf(t, gridYAML[:from]+"  source: "+path+"\n"+gridYAML[to:]))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		wantType(t, w.train(), "BadData", false)
	}
	write()
	if err := w.train(); err != nil {
		t.Error(err)
	}
}

// A worker that lacks the shards of eval_source says so, by their name, and trains once they are there.
func TestEvalSourceMissing(t *testing.T) {
	dir := t.TempDir()
	train, held := filepath.Join(dir, "train.npy"), filepath.Join(dir, "held", "a.npy")
	put := func(path string, rows int) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, someRows(rows, 6), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(train, 2000)
	put(held, 90)
	from := strings.Index(gridYAML, "  synthetic:")
	to := strings.Index(gridYAML, "  normalize:")
	w := submit(t, openDir(t), planOf(t, gridYAML[:from]+"  source: "+train+"\n  eval_source: "+filepath.Dir(held)+"\n"+
		gridYAML[to:]))
	if err := os.RemoveAll(filepath.Dir(held)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := w.train()
		wantType(t, err, "BadData", false)
		if err != nil && !strings.Contains(err.Error(), filepath.Dir(held)+": no such file") {
			t.Errorf("%v does not name %s", err, filepath.Dir(held))
		}
	}
	put(held, 91)
	wantType(t, w.train(), "DataChanged", false)
	put(held, 90)
	if err := w.train(); err != nil {
		t.Error(err)
	}
	// What was open before and is away may come back: the read has failed, and is tried again.
	if err := os.RemoveAll(filepath.Dir(held)); err != nil {
		t.Fatal(err)
	}
	_, err := w.openData(&run{header: &w.plan.Header}, new(openSet))
	if failed := (*data.ReadError)(nil); !errors.As(err, &failed) || failed.File != filepath.Dir(held) {
		t.Errorf("eval_source is away: %v", err)
	}
}

// someRows returns a .npy file of rows that differ.
func someRows(rows, dim int) []byte {
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d)}\n", rows, dim)
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0)
	b = append(b, header...)
	r := rand.New(rand.NewPCG(1, 2))
	for range rows * dim {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(r.NormFloat64())))
	}
	return b
}

// What cannot be opened here could be when the sweep was planned: an empty mount point, a copy that is not whole or
// has no file of the kind. Another worker may have the data, and this one says why it refuses.
func TestOtherDataHere(t *testing.T) {
	for name, change := range map[string]func(file string) error{
		"empty mount point": os.Remove,
		"cut short":         func(file string) error { return os.Truncate(file, 1000) },
		"empty file":        func(file string) error { return os.Truncate(file, 0) },
		"no shard":          func(file string) error { return os.Rename(file, file+".part") },
		"a row less":        func(file string) error { return os.WriteFile(file, someRows(1999, 6), 0o600) },
		"forbidden": func(file string) error {
			if os.Getuid() == 0 { // nothing is forbidden
				return os.Remove(file)
			}
			return os.Chmod(file, 0)
		},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "a.npy")
		if err := os.WriteFile(file, someRows(2000, 6), 0o600); err != nil {
			t.Fatal(err)
		}
		from := strings.Index(gridYAML, "  synthetic:")
		to := strings.Index(gridYAML, "  normalize:")
		w := submit(t, openDir(t), planOf(t, gridYAML[:from]+"  source: "+dir+"\n"+gridYAML[to:]))
		w.named(workerA, lives{workerA, workerB})
		if err := change(file); err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{w.train(), w.train()} {
			if err == nil || !strings.Contains(err.Error(), "refused by 1@a: ") ||
				!strings.Contains(err.Error(), "retryable: true") {
				t.Errorf("%s: %v", name, err)
			}
		}
		t.Logf("%s: %v", name, w.train())
	}
}

// The rows that a device reads for itself are those of the set, in its format, and their reading counts as progress.
func TestWatchedRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npy")
	if err := os.WriteFile(path, someRows(200, 6), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := data.Open(t.Context(), trainer.DataSpec{Source: path, Normalize: "mean_square"}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	w := &watch{}
	rows := (&attemptData{Set: set, watch: w}).Dataset()
	numbers := []int64{7, 199, 0}
	got, want := make([]byte, 3*6*rows.Format().Type.Bytes()), make([]byte, 3*6*set.Format().Type.Bytes())
	if err := errors.Join(rows.ReadStored(numbers, got), set.ReadStored(numbers, want)); err != nil {
		t.Fatal(err)
	}
	if rows.Format() != set.Format() || !bytes.Equal(got, want) || w.moves.Load() != 1 {
		t.Errorf("format %v, %d moves, equal rows: %v", rows.Format(), w.moves.Load(), bytes.Equal(got, want))
	}
}
