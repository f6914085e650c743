package activities

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/trainer"
)

// shardOf returns a .npy file of rows whose numbers depend on seed.
func shardOf(seed uint64) []byte {
	const rows, dim = 500, 6
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, dim)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	b = append(b, header...)
	for i := range uint64(rows * dim) {
		v := float32(trainer.Rand(seed, 1, i)>>40)/(1<<24) - 0.5
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// planOnShard plans gridYAML on a shard that it writes.
func planOnShard(t *testing.T) (p *plan.Plan, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "a.npy")
	if err := os.WriteFile(file, shardOf(1), 0o644); err != nil {
		t.Fatal(err)
	}
	from, to := strings.Index(gridYAML, "  synthetic:"), strings.Index(gridYAML, "  normalize:")
	return planOf(t, gridYAML[:from]+"  source: "+file+"\n"+gridYAML[to:]), file
}

// overwrite writes into a file in place, as a program that maps it does. The time at
// which it was written stays the one of before.
func overwrite(t *testing.T, file string, content []byte) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(len(content))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
}

// at calls do once, after a step.
func (w *testWorker) at(step int64, do func()) {
	w.hooks.after = func(done int64) {
		if done == step {
			step = -1
			do()
		}
	}
}

// wantReason checks that an error says once that the data have changed, and that a table
// shows it.
func wantReason(t *testing.T, err error) {
	t.Helper()
	const reason = "the data have changed while they were in use"
	var e *temporal.ApplicationError
	if !errors.As(err, &e) {
		t.Fatalf("%v is no error of an activity", err)
	}
	message := e.Message()
	if n := strings.Count(message, reason); n != 1 {
		t.Errorf("%q says %d times that the data have changed", message, n)
	}
	cause := report.Cause(message)
	if !strings.Contains(cause, reason) || !strings.Contains(cause, "put the old rows back") {
		t.Errorf("a table shows %q", cause)
	}
}

// Rows that are rewritten in place while a run trains: the run fails, and nothing that
// was trained on them is stored. Once the rows are the planned ones again, it goes on
// from its checkpoint to the bits of an undisturbed run.
func TestRowsRewrittenWhileTraining(t *testing.T) {
	nan := shardOf(1)
	for i := len(nan) - 4000; i < len(nan); i += 4 {
		binary.LittleEndian.PutUint32(nan[i:], math.Float32bits(float32(math.NaN())))
	}
	one := shardOf(1)
	one[len(one)-2]++
	for name, c := range map[string]struct {
		other []byte
		later string // the type of the error of attempts that open the data anew
	}{
		"other rows": {shardOf(2), "DataChanged"},
		"one number": {one, "DataChanged"},
		"cut short":  {shardOf(1)[:3000], "BadData"},
		"NaN":        {nan, "BadData"},
	} {
		t.Run(name, func(t *testing.T) {
			p, file := planOnShard(t)
			undisturbed := submit(t, openDir(t), p)
			undisturbed.finish()

			store := openDir(t)
			submit(t, store, p)
			trainUntil(t, store, p, 5) // leaves a checkpoint
			before := snapshot(t, store)
			w := newWorker(t, store, p)
			w.at(20, func() { overwrite(t, file, c.other) })
			err := w.train()
			wantType(t, err, "DataChanged", false)
			wantReason(t, err)
			for key, content := range snapshot(t, store) {
				if before[key] != content && !strings.Contains(key, "/claims/") && !strings.Contains(key, "/renewals/") {
					t.Errorf("%s is stored", key)
				}
			}
			wantType(t, w.train(), c.later, false) // at once
			wantType(t, w.evaluate(), c.later, false)

			overwrite(t, file, shardOf(1))
			var first int64 = -1
			w.hooks.before = func(step int64) {
				if first < 0 {
					first = step
				}
			}
			w.finish()
			if first != 5 {
				t.Errorf("went on with step %d, not from the checkpoint of step 5", first)
			}
			wantSame(t, "the model", w.model(), undisturbed.model())
		})
	}
}

// A checkpoint beside training is not stored either, and ends the attempt.
func TestNoCheckpointOfRewrittenRows(t *testing.T) {
	p, file := planOnShard(t)
	w := submit(t, openDir(t), p)
	w.saveEveryStep()
	w.at(3, func() { overwrite(t, file, shardOf(2)) })
	err := w.train()
	wantType(t, err, "DataChanged", false)
	wantReason(t, err)
	if m, err := w.newest(); err == nil && m.Step > 3 {
		t.Errorf("the checkpoint of step %d is stored", m.Step)
	}
}

// Files that were written to, and hold the planned rows again, may have held others in
// between: the attempt is repeated from the last checkpoint.
func TestShardTouchedWhileTraining(t *testing.T) {
	for name, touch := range map[string]func(t *testing.T, file string){
		"there and back": func(t *testing.T, file string) {
			overwrite(t, file, shardOf(2))
			overwrite(t, file, shardOf(1))
		},
		"touched": func(t *testing.T, file string) {
			if err := os.Chtimes(file, time.Time{}, time.Unix(1e9, 0)); err != nil {
				t.Fatal(err)
			}
		},
		"replaced by equal rows": func(t *testing.T, file string) {
			other := file + ".new"
			if err := os.WriteFile(other, shardOf(1), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(other, file); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, file := planOnShard(t)
			undisturbed := submit(t, openDir(t), p)
			undisturbed.finish()

			w := submit(t, openDir(t), p)
			w.at(20, func() { touch(t, file) })
			wantType(t, w.train(), "DataTouched", true)
			if _, err := w.newest(); err == nil {
				t.Error("a checkpoint of it is stored")
			}
			w.finish()
			wantSame(t, "the model", w.model(), undisturbed.model())
		})
	}
}

// Held-out rows that are rewritten while a run is measured leave no result.
func TestRowsRewrittenWhileEvaluating(t *testing.T) {
	p, file := planOnShard(t)
	store := storagetest.NewMemory()
	w := submit(t, store, p)
	if err := w.train(); err != nil {
		t.Fatal(err)
	}
	w.hooks.encode = func() { overwrite(t, file, shardOf(2)) }
	wantType(t, w.evaluate(), "DataChanged", false)
	if got := keys(t, store, "models/"); len(got) > 0 {
		t.Errorf("stored: %v", got)
	}
	if _, err := ledger.New(store).Result(t.Context(), w.id()); err == nil {
		t.Error("a result is stored")
	}
	w.hooks.encode = nil
	overwrite(t, file, shardOf(1))
	if err := w.evaluate(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(read(t, store, ledger.ResultKey(w.id())), []byte(p.Info.Fingerprint)) {
		t.Error("the result does not name the data")
	}
}

// A shard that is not there for a while, as on a file system that is not mounted, fails no
// run: what is stored stays, and the stage is tried again until the shard is back.
func TestShardAwayForAWhile(t *testing.T) {
	p, file := planOnShard(t)
	undisturbed := submit(t, openDir(t), p)
	undisturbed.finish()

	away := file + ".away"
	move := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	w := submit(t, openDir(t), p)
	w.at(20, func() { move(file, away) })
	wantType(t, w.train(), "ReadFailed", true)
	wantType(t, w.train(), "ReadFailed", true) // it is still away
	move(away, file)
	if err := w.train(); err != nil {
		t.Fatal(err)
	}
	w.hooks.encode = func() { w.hooks.encode = nil; move(file, away) }
	wantType(t, w.evaluate(), "ReadFailed", true)
	move(away, file)
	w.finish()
	wantSame(t, "the model", w.model(), undisturbed.model())

	// Another read fails first, so that the data are opened anew.
	w = submit(t, openDir(t), p)
	w.at(20, func() {
		other := file + ".other"
		move(file, away)
		if err := os.WriteFile(other, shardOf(1), 0o644); err != nil {
			t.Fatal(err)
		}
		overwrite(t, away, nil)
		move(other, file) // not the file that is mapped
	})
	wantType(t, w.train(), "ReadFailed", true)
	move(file, away)
	wantType(t, w.train(), "ReadFailed", true)
	move(away, file)
	w.finish()
	wantSame(t, "the model", w.model(), undisturbed.model())

	// Its rows cannot be had from memory either.
	w = submit(t, openDir(t), p)
	w.at(20, func() {
		move(file, away)
		overwrite(t, away, nil)
	})
	wantType(t, w.train(), "ReadFailed", true)
	wantType(t, w.train(), "ReadFailed", true)
	overwrite(t, away, shardOf(1))
	move(away, file)
	w.finish()
	wantSame(t, "the model", w.model(), undisturbed.model())
}
