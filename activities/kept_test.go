package activities

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/topksweep/sweep/activities/hostmem"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
)

// A countingStore counts the reads of checkpoints' data.
type countingStore struct {
	storage.Store
	reads atomic.Int64
}

func (s *countingStore) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if strings.HasPrefix(key, "stages/") && strings.Contains(key, "/data/") {
		s.reads.Add(1)
	}
	return s.Store.Get(ctx, key)
}

func (s *countingStore) PutNew(ctx context.Context, key string, data []byte) error {
	return s.Store.(storage.NewPutter).PutNew(ctx, key, data)
}

// Stages and evaluations that take states from memory end with the same bytes as those that read them, also when
// workers die between. With memory for none, everything is read.
func TestHandOver(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 7))
	for range 3 {
		p := planOf(t, treeGrid(r))
		var want map[string]string
		var reads []int64
		for _, how := range []string{"read", "handed over", "killed"} {
			store := &countingStore{Store: storagetest.NewMemory()}
			w := submit(t, store, p)
			var kill func() int64
			switch how {
			case "read":
				w.kept.memory = &hostmem.Pool{Capacity: func() (int64, bool) { return 0, true }}
			case "killed":
				kill = func() int64 { return 1 + r.Int64N(9) }
			}
			sweepAll(t, w, kill)
			reads = append(reads, store.reads.Load())
			got := outcomes(t, w)
			if want == nil {
				want = got
			}
			if !sameOutcome(t, got, want) {
				t.Errorf("%s: the outcome differs", how)
			}
			if n := len(w.kept.states); n > len(p.Cells) {
				t.Errorf("%s: %d states are kept", how, n)
			}
		}
		if reads[1] >= reads[0] {
			t.Errorf("data are read %d times where states are handed over, and %d times without", reads[1], reads[0])
		}
	}
}

// A state is taken for the manifest that it was stored with, as often as it was said, and by nobody else.
func TestKeptStates(t *testing.T) {
	c := planOf(t, gridYAML).Cells[0].Config
	state := trainer.Init(c)
	state.Step, state.Threshold, state.FirstDead = 7, 0.5, 3
	state.Curve = []trainer.Point{{Step: 1, Loss: 2}}
	m := &storage.Manifest{Key: "stages/x/data/1", SHA256: "aa", Size: 100, Step: 7}
	pool := &hostmem.Pool{Capacity: func() (int64, bool) { return 1000, true }}
	k := &keptStates{memory: pool}
	bytesOf := func(s *trainer.State) []byte {
		body, err := trainer.Encode(c, s)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(io.NewSectionReader(body, 0, body.Size()))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	want := bytesOf(state)
	k.keep(m, state, 2)
	for name, other := range map[string]storage.Manifest{
		"another sha256": {Key: m.Key, SHA256: "ab", Size: 100},
		"another key":    {Key: "stages/y/data/1", SHA256: "aa", Size: 100},
		"another size":   {Key: m.Key, SHA256: "aa", Size: 101},
	} {
		if k.take(&other, trainer.NewState(c)) {
			t.Errorf("%s: taken", name)
		}
	}
	small := c
	small.DictSize--
	if k.take(m, trainer.NewState(small)) {
		t.Error("taken for a model of another size")
	}
	for range 2 {
		into := trainer.NewState(c)
		if !k.take(m, into) || !bytes.Equal(bytesOf(into), want) {
			t.Fatal("not the state that was kept")
		}
		into.W.WEnc[0], into.Curve[0].Loss = 9, 9 // whoever has it may write to it
	}
	if k.take(m, trainer.NewState(c)) || pool.Reserved() != 0 {
		t.Errorf("it is kept for ever: %d bytes", pool.Reserved())
	}
	// A quarter of the memory is for states. The oldest go first, and all of them go when a run needs the memory.
	for i := range 4 {
		k.keep(&storage.Manifest{Key: string(rune('a' + i)), Size: 100}, trainer.Init(c), 1)
	}
	if len(k.states) != 2 || k.states[0].of.key != "c" || pool.Reserved() != 200 {
		t.Errorf("%d states, %d bytes", len(k.states), pool.Reserved())
	}
	k.keep(&storage.Manifest{Key: "large", Size: 251}, trainer.Init(c), 1)
	if len(k.states) != 0 || pool.Reserved() != 0 {
		t.Errorf("one that is too large leaves %d states, %d bytes", len(k.states), pool.Reserved())
	}
	a := &Activities{memory: pool, kept: k, line: newMemoryLine()}
	k.keep(m, state, 1)
	release, err := a.reserve(t.Context(), doing("x"), 1000)
	if err != nil || len(k.states) != 0 {
		t.Errorf("%v, %d states", err, len(k.states))
	}
	release()
	if _, err := a.reserve(t.Context(), doing("x"), 1001); !errors.Is(err, trainer.ErrMemory) {
		t.Error(err)
	}
}

// Another worker reads the checkpoint in the store, and so finds out if it is damaged there. The worker that stored it
// has its state.
func TestHandOverIsOfOneWorker(t *testing.T) {
	for _, same := range []bool{true, false} {
		w := submit(t, openDir(t), makePlan(t, nil))
		if err := w.train(); err != nil {
			t.Fatal(err)
		}
		m, err := w.newest()
		if err != nil {
			t.Fatal(err)
		}
		garbage := bytes.Repeat([]byte{1}, int(m.Size))
		if err := w.store.Put(t.Context(), m.Key, bytes.NewReader(garbage), m.Size); err != nil {
			t.Fatal(err)
		}
		if !same {
			w = newWorker(t, w.store, w.plan)
			wantType(t, w.evaluate(), protocol.ErrTypeLost, false)
			continue
		}
		if err := w.evaluate(); err != nil {
			t.Fatal(err)
		}
		wantSame(t, "the model", w.model(), undisturbedModel(t))
	}
}
