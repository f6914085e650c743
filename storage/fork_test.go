package storage_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
)

func (r *rig) pin(l *storage.Claim, step int64) {
	r.Helper()
	if err := l.Pin(r.Context(), step); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) prune(keep int) {
	r.Helper()
	if _, err := r.c.Prune(r.Context(), keep); err != nil {
		r.Fatal(err)
	}
}

// left lists the checkpoints with a manifest as "step/attempt".
func (r *rig) left() (left []string) {
	r.Helper()
	for _, key := range r.keys() {
		if name, ok := strings.CutPrefix(key, "stages/ab12/manifests/"); ok {
			var step, attempt int
			if _, err := fmt.Sscanf(name, "%d-%d.json", &step, &attempt); err == nil {
				left = append(left, fmt.Sprintf("%d/%d", step, attempt))
			}
		}
	}
	return left
}

func (r *rig) wantLeft(want ...string) {
	r.Helper()
	if left := r.left(); !slices.Equal(left, want) {
		r.Errorf("%v are left, want %v", left, want)
	}
}

func TestPin(t *testing.T) {
	r := newRig(t)
	l := r.claim()
	for _, step := range []int64{100, 0, 7, 100} {
		r.pin(l, step)
	}
	body := r.get("stages/ab12/forks/000000000007.json")
	if want := `{"version": 1, "stage": "ab12", "step": 7}` + "\n"; body != want {
		t.Errorf("a pin holds %q", body)
	}
	r.put("stages/ab12/forks/7.json", "not a fork's name")
	pins, err := r.c.Pins(t.Context())
	if want := []int64{0, 7, 100}; err != nil || !slices.Equal(pins, want) {
		t.Errorf("pins %v, %v, want %v", pins, err, want)
	}
	if log := r.log.String(); !strings.Contains(log, "forks/7.json") {
		t.Errorf("not reported: %q", log)
	}
	if err := l.Pin(t.Context(), -1); err == nil {
		t.Error("pinned step -1")
	}
	r.claim()
	if err := l.Pin(t.Context(), 8); !errors.Is(err, storage.ErrFenced) {
		t.Errorf("pin by a zombie: %v, want ErrFenced", err)
	}
}

func TestPinnedStay(t *testing.T) {
	r := newRig(t)
	l := r.claim()
	r.pin(l, 20)
	r.pin(l, 50) // never saved
	for _, step := range []int64{10, 20, 30, 40} {
		r.save(l, step, fmt.Sprint("state ", step))
		r.prune(1)
	}
	r.wantLeft("20/1", "40/1") // the pinned one does not count towards keep
	r.prune(0)
	r.wantLeft("20/1")
	r.wantRestored("20/1: state 20")
	if data := slices.DeleteFunc(r.keys(), func(k string) bool { return !strings.Contains(k, "/data/") }); len(data) != 1 {
		t.Errorf("data %q are left", data)
	}
	// A damaged checkpoint of the step must not cost the good one of another attempt.
	m := r.save(r.claim(), 20, "state 20")
	r.put(m.Key, "state")
	r.prune(0)
	r.wantRestored("20/1: state 20")
}

// An attempt that trains an earlier span than the attempt before it keeps its own
// checkpoints. Those of the other attempt stay as long as they are higher: who trains on
// from there is spared the way.
func TestPruneKeepsTheNewestAttempts(t *testing.T) {
	r := newRig(t)
	first := r.claim()
	r.pin(first, 100)
	for _, step := range []int64{80, 90, 100} {
		r.save(first, step, fmt.Sprint("state ", step))
	}
	second := r.claim()
	r.pin(second, 30)
	for _, step := range []int64{10, 20} {
		r.save(second, step, fmt.Sprint("state ", step))
		r.prune(2)
	}
	r.wantLeft("10/2", "20/2", "80/1", "90/1", "100/1")
	if m, err := r.c.RestoreAtMost(t.Context(), 30, ignore); err != nil || m.Step != 20 {
		t.Errorf("restored %v, %v, want step 20", m, err)
	}
	r.save(second, 30, "state 30")
	r.prune(0)
	r.wantLeft("30/2", "80/1", "90/1", "100/1")
	// The data that the newest claim has on its way stays.
	onItsWay := fmt.Sprintf("stages/ab12/data/%012d-%06d-%064d", 35, 2, 7)
	r.put(onItsWay, "data")
	r.prune(0)
	if !slices.Contains(r.keys(), onItsWay) {
		t.Error("data on its way was pruned")
	}
	r.save(second, 85, "state 85") // now it has passed step 80
	r.prune(0)
	r.wantLeft("30/2", "90/1", "100/1")
}

// The example in the comment of Garbage.
func TestGarbageExample(t *testing.T) {
	r := newRig(t)
	first := r.claim()
	r.pin(first, 100)
	r.save(first, 100, "100")
	r.save(first, 160, "160")
	r.save(first, 300, "300")
	second := r.claim()
	r.save(second, 150, "150")
	r.save(second, 200, "200")
	fenced := fmt.Sprintf("stages/ab12/data/%012d-%06d-%064d", 400, 1, 7)
	onItsWay := fmt.Sprintf("stages/ab12/data/%012d-%06d-%064d", 250, 2, 7)
	r.put(fenced, "data")
	r.put(onItsWay, "data")
	r.prune(1)
	r.wantLeft("100/1", "200/2", "300/1")
	if keys := r.keys(); slices.Contains(keys, fenced) || !slices.Contains(keys, onItsWay) {
		t.Errorf("data of the fenced attempt must go, data of the newest must stay: %q", keys)
	}
}

// A pin that is written while another process prunes, before any of its operations,
// keeps the checkpoint that is saved after the pin.
func TestPinnedWhilePruning(t *testing.T) {
	for n := 1; ; n++ {
		r := newRig(t)
		l := r.claim()
		r.save(l, 10, "ten")
		hook := &hooked{Store: r.store, left: n, hook: func() {
			r.pin(l, 20)
			r.save(l, 20, "twenty")
			r.save(l, 30, "thirty")
		}}
		c, err := storage.NewCheckpoints(hook, "ab12", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Prune(t.Context(), 0); err != nil {
			t.Errorf("pinned before operation %d: %v", n, err)
		}
		if hook.left > 0 {
			if n < 5 {
				t.Errorf("pruning took %d operations", n-1)
			}
			return
		}
		if _, err := r.c.RestoreStep(t.Context(), 20, ignore); err != nil {
			t.Errorf("pinned before operation %d: %v", n, err)
		}
	}
}

func TestRestoreAtMost(t *testing.T) {
	r := newRig(t)
	l := r.claim()
	var last *storage.Manifest
	for _, step := range []int64{10, 20, 30} {
		last = r.save(l, step, fmt.Sprint("state ", step))
	}
	r.put(last.Key, "torn")
	for _, test := range []struct{ atMost, newest, restored int64 }{
		{1 << 40, 30, 20}, {30, 30, 20}, {29, 20, 20}, {20, 20, 20}, {19, 10, 10}, {9, -1, -1}, {-1, -1, -1},
	} {
		var loaded []int64
		m, err := r.c.RestoreAtMost(t.Context(), test.atMost, func(m *storage.Manifest, _ io.Reader) error {
			loaded = append(loaded, m.Step)
			return nil
		})
		switch {
		case test.restored < 0 && !errors.Is(err, storage.ErrNotFound),
			test.restored >= 0 && (err != nil || m.Step != test.restored):
			t.Errorf("at most %d: %v, %v, want step %d", test.atMost, m, err, test.restored)
		case slices.ContainsFunc(loaded, func(s int64) bool { return s > test.atMost }):
			t.Errorf("at most %d: loaded %v", test.atMost, loaded)
		}
		step, ok, err := r.c.Newest(t.Context(), test.atMost)
		if err != nil || ok != (test.newest >= 0) || ok && step != test.newest {
			t.Errorf("newest up to %d: %d, %v, %v, want %d", test.atMost, step, ok, err, test.newest)
		}
	}
}

// FuzzFolder does to a folder what attempts do, in any order: claim it, pin steps,
// save rising steps from any step on, damage data, prune. After each pruning, the
// checkpoints that must stay are there, and no others.
func FuzzFolder(f *testing.F) {
	const claim, pin, save, tear, other, prune = 0, 1, 2, 3, 4, 5
	f.Add([]byte{claim, 5, pin, 14, save, 8, save, 8, prune, 1, claim, 0, save, 4, save, 4, prune, 2, prune, 0})
	f.Add([]byte{save, 15, save, 1, tear, 0, claim, 0, save, 8, prune, 1, claim, 0, pin, 4, save, 3, prune, 0})
	f.Add([]byte{other, 0, other, 1, other, 2, other, 3, save, 1, prune, 0})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 200 {
			return
		}
		r := newRig(t)
		r.c, _ = storage.NewCheckpoints(r.store, "ab12", slog.New(slog.DiscardHandler))
		type saved struct {
			step    int64
			attempt int
			torn    bool
		}
		var (
			l    = r.claim()
			step int64
			all  []saved // checkpoints that are there
			pins = map[int64]bool{}
		)
		for ; len(program) >= 2; program = program[2:] {
			arg := int(program[1])
			switch "cpstog"[program[0]%6] {
			case 'c':
				l, step = r.claim(), int64(arg)
			case 'p':
				// Before it is saved: see Pin.
				if !slices.ContainsFunc(all, func(s saved) bool { return s.step == int64(arg) }) {
					r.pin(l, int64(arg))
					pins[int64(arg)] = true
				}
			case 's':
				step += int64(arg%16) + 1
				r.save(l, step, fmt.Sprint("state ", step))
				all = append(all, saved{step, l.Attempt(), false})
			case 't':
				if len(all) > 0 {
					s := &all[arg%len(all)]
					s.torn = true
					for _, key := range r.keys() {
						if strings.HasPrefix(key, fmt.Sprintf("stages/ab12/data/%012d-%06d-", s.step, s.attempt)) {
							r.put(key, "torn")
						}
					}
				}
			case 'o': // something that no attempt writes
				r.put(fmt.Sprintf("stages/ab12/%s/%x", []string{"manifests", "data", "forks", "claims"}[arg%4], program[:2]), "?")
			default:
				keep := arg % 4
				r.prune(keep)
				slices.SortFunc(all, func(a, b saved) int {
					return cmp.Or(cmp.Compare(b.attempt, a.attempt), cmp.Compare(b.step, a.step))
				})
				left := r.left()
				valid := 0
				reached := int64(-1) // by the newest attempt that has a whole checkpoint
				if i := slices.IndexFunc(all, func(s saved) bool { return !s.torn }); i >= 0 {
					reached = all[i].step
				}
				all = slices.DeleteFunc(all, func(s saved) bool {
					there := slices.Contains(left, fmt.Sprintf("%d/%d", s.step, s.attempt))
					must := pins[s.step] || valid < keep || s.step > reached
					if must && !there || !must && there {
						t.Fatalf("after pruning to %d: step %d of attempt %d is there: %v; of %+v, pinned %v",
							keep, s.step, s.attempt, there, all, pins)
					}
					if !pins[s.step] && !s.torn {
						valid++
					}
					return !there
				})
				data := slices.DeleteFunc(r.keys(), func(k string) bool {
					return !strings.HasPrefix(k, "stages/ab12/data/0") || len(k) < 64
				})
				if len(data) != len(all) {
					t.Fatalf("after pruning to %d: %d checkpoints and the data %q", keep, len(all), data)
				}
			}
			// What is highest and whole is what is restored.
			limit := int64(arg)
			var best int64 = -1
			for _, s := range all {
				if !s.torn && s.step <= limit {
					best = max(best, s.step)
				}
			}
			m, err := r.c.RestoreAtMost(t.Context(), limit, func(m *storage.Manifest, rd io.Reader) error {
				b, err := io.ReadAll(rd)
				if err == nil && !bytes.Equal(b, fmt.Append(nil, "state ", m.Step)) {
					return fmt.Errorf("state %d holds %q", m.Step, b)
				}
				return err
			})
			if best < 0 && !errors.Is(err, storage.ErrNotFound) || best >= 0 && (err != nil || m.Step != best) {
				t.Fatalf("restored up to %d: %v, %v, want step %d", limit, m, err, best)
			}
		}
	})
}
