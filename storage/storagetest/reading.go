package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
)

// RunReads trains a run, over and over, while reads of its claims, manifests or data go
// wrong: one of them, or all from one on until the attempt has failed some times. The
// objects are sound all the time. So no attempt may go on from an earlier checkpoint than
// the highest that is stored, and none that is higher than what the attempt has saved
// may be removed.
func RunReads(t *testing.T, open func(*testing.T) storage.Store) {
	for _, fault := range ReadFaults() {
		for _, kind := range []string{"claims", "manifests", "data"} {
			for _, forever := range []bool{false, true} {
				if forever && fault.Proves() {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/forever=%v", fault.Name, kind, forever), func(t *testing.T) {
					t.Parallel()
					s := open(t)
					for n := int64(1); readTrial(t, s, fault, kind, n, forever) && !t.Failed(); n++ {
					}
				})
			}
		}
	}
}

// readTrial does one training. It returns whether a fault happened.
func readTrial(t *testing.T, clean storage.Store, fault ReadFault, kind string, n int64, forever bool) bool {
	r := trial{t, fmt.Sprintf("reads-%03d", n)}
	match := func(key string) bool { return strings.Contains(key, r.folder+"/"+kind) }
	s := NewFlaky(clean, fault, match, n, forever)
	if _, err := r.train(clean, fork); err != nil { // leaves an earlier one to fall back to
		t.Fatal(err)
	}
	stored := int64(fork)
	for tries := 0; ; tries++ {
		if tries == 3 {
			s.Heal()
		}
		before := r.highest(clean)
		looking, err := storage.NewCheckpoints(s, r.folder, nil)
		if err != nil {
			t.Fatal(err)
		}
		if step, err := restore(t.Context(), looking, lastStep); err == nil && step != before {
			t.Errorf("read %d: restored step %d, and step %d is stored", n, step, before)
		}
		_, err = r.train(s, lastStep)
		stored = max(stored, before)
		if highest := r.highest(clean); highest < stored {
			t.Errorf("read %d: step %d was stored, and only %d is left", n, stored, highest)
		}
		if err == nil {
			break
		}
		if errors.Is(err, storage.ErrCorrupt) || errors.Is(err, storage.ErrNewerVersion) || tries > 4 {
			t.Errorf("read %d, try %d: %v", n, tries, err)
			break
		}
	}
	r.wantRestorable(clean, lastStep)
	return s.Fired()
}

// highest is the highest step of which a checkpoint is stored.
func (t trial) highest(s storage.Store) (step int64) {
	t.Helper()
	for _, o := range list(t.T, s, "stages/"+t.folder+"/manifests/") {
		var at int64
		if _, err := fmt.Sscanf(o.Key[strings.LastIndexByte(o.Key, '/')+1:], "%d-", &at); err != nil {
			t.Fatal(err)
		}
		step = max(step, at)
	}
	return step
}

// RunObjects reads objects that are sound while reads go wrong: what comes back is right,
// or an error that says nothing about the object.
func RunObjects(t *testing.T, s storage.Store) {
	type thing struct{ Name, Text string }
	const key = "things/one.json"
	want := thing{"one", strings.Repeat("text ", 100)}
	if err := storage.PutJSON(t.Context(), s, key, want); err != nil {
		t.Fatal(err)
	}
	raw, err := get(t.Context(), s, key)
	if err != nil {
		t.Fatal(err)
	}
	parse := func(b []byte) (thing, error) {
		got, err := storage.ParseJSON[thing](b)
		if err == nil && got != want {
			err = fmt.Errorf("%w: another thing", storage.ErrCorrupt)
		}
		return got, err
	}
	for _, fault := range ReadFaults() {
		for _, forever := range []bool{false, true} {
			flaky := func() storage.Store {
				return NewFlaky(s, fault, func(string) bool { return true }, 1, forever)
			}
			proves := forever && fault.Proves()
			check := func(how string, right bool, err error) {
				t.Helper()
				isCorrupt := errors.Is(err, storage.ErrCorrupt)
				if err == nil && !right || isCorrupt != proves || err == nil && forever {
					t.Errorf("%s, forever=%v, %s: right %v, %v", fault.Name, forever, how, right, err)
				}
				if err != nil && !strings.Contains(err.Error(), key) {
					t.Errorf("%s, %s: %v does not name the key", fault.Name, how, err)
				}
			}
			got, err := storage.Read(t.Context(), flaky(), key, 1<<20, parse)
			check("read", got == want, err)
			got, err = storage.ReadSteady(t.Context(), flaky(), key, 1<<20, parse)
			check("steady", got == want, err)
			if fault.Proves() || strings.Contains(fault.Name, "flipped") {
				continue // nothing shows a flipped bit in bytes without a form
			}
			b, err := storage.ReadWhole(t.Context(), flaky(), key, 1<<20)
			check("whole", bytes.Equal(b, raw), err)
		}
	}
}
