package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/plan"
)

// Whatever bit of a stored result flips, what is read is damage, or the result as it was.
func TestSeal(t *testing.T) {
	p, s := planOf(t, tinyGrid), storagetest.NewMemory()
	want := completed(p, 0, 0.25)
	run := p.RunID(p.Cells[0].ID)
	if err := New(s).StoreResult(t.Context(), run, want); err != nil {
		t.Fatal(err)
	}
	whole := []byte(get(t, s, ResultKey(run)))
	if got, err := parseResult(whole, run); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v", got, err)
	}
	refused := 0
	for i := range whole {
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[i] ^= 1 << bit
			got, err := parseResult(b, run)
			switch {
			case err == nil && !reflect.DeepEqual(got, want):
				t.Errorf("bit %d of byte %d flipped, in %q: %+v", bit, i, b[max(0, i-20):min(len(b), i+20)], got)
			case err != nil && !errors.Is(err, storage.ErrCorrupt):
				t.Errorf("bit %d of byte %d: %v", bit, i, err)
			case err != nil:
				refused++
			}
		}
	}
	if refused < 7*len(whole) {
		t.Errorf("%d flips of %d are refused", refused, 8*len(whole))
	}

	// What an older version wrote has no seal.
	var fields map[string]any
	if err := json.Unmarshal(whole, &fields); err != nil {
		t.Fatal(err)
	}
	if len(fields["sha256"].(string)) != 64 {
		t.Errorf("the seal is %v", fields["sha256"])
	}
	old, err := json.MarshalIndent(want, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseResult(append(old, '\n'), run); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("without a seal: %+v, %v", got, err)
	}
}

// A misread number in a result does not reach the tables, however the read goes wrong.
func TestResultsUnderReadFaults(t *testing.T) {
	p, s := planOf(t, tinyGrid), storagetest.NewMemory()
	l := storePlan(t, s, p)
	storeResult(t, s, p, 0, 0.25)
	storeResult(t, s, p, 1, 0.5)
	note := NewResult(&p.Header, p.Cells[2], plan.Failed)
	note.Error = "why"
	if err := l.StoreFailure(t.Context(), p.ID, note); err != nil {
		t.Fatal(err)
	}
	want, err := l.Results(t.Context(), &p.Header)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range storagetest.ReadFaults() {
		for _, forever := range []bool{false, true} {
			for n := int64(1); ; n++ {
				flaky := storagetest.NewFlaky(s, fault, func(key string) bool {
					return key == ResultKey(p.Cells[0].ID) || key == ResultKey(p.Cells[1].ID) || key == PlanKey(p.ID)
				}, n, forever)
				h, err := New(flaky).Header(t.Context(), p.ID)
				var got []Result
				if err == nil {
					got, err = New(flaky).Results(t.Context(), h)
				}
				isLost := errors.Is(err, storage.ErrNotFound) || fault.Name == "not found, though it is there"
				if err == nil && !isLost && !(forever && fault.Proves()) && !reflect.DeepEqual(got, want) {
					t.Errorf("%s, read %d, forever=%v: %+v", fault.Name, n, forever, got)
				}
				if errors.Is(err, storage.ErrCorrupt) && !(forever && fault.Proves()) {
					t.Errorf("%s, read %d, forever=%v: %v", fault.Name, n, forever, err)
				}
				if !flaky.Fired() {
					break
				}
			}
		}
	}
}

func FuzzParseResult(f *testing.F) {
	const run = "3d831e4425ac8dc304a0"
	b, err := sealed(Result{Cell: run, Status: plan.Completed, Tokens: 640})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"cell": "` + run + `", "status": "failed"}`))
	f.Add([]byte(sealBegin + sealEnd))
	f.Add([]byte(`"` + sealEnd))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseResult(b, run); err == nil && (r.Cell != run || r.Status != plan.Completed) ||
			err != nil && !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("result %+v, %v", r, err)
		}
		if r, err := parseFailure(b, run); err == nil && r.Cell != run || err != nil && !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("note %+v, %v", r, err)
		}
		if cells, err := decodeChunk(b); err == nil && len(cells) > plan.ChunkSize ||
			err != nil && !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%d cells, %v", len(cells), err)
		}
	})
}
