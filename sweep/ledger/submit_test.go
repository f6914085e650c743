package ledger

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/plan"
)

// submit submits a plan and checks what Submit returns.
func submit(t *testing.T, s storage.Store, p *plan.Plan, src string, want *plan.Header, wantDiffers bool) {
	t.Helper()
	h, differs, err := New(s).Submit(t.Context(), p, []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("header\n%+v\nwant\n%+v", h, want)
	}
	if differs != wantDiffers {
		t.Errorf("the section run differs: %v, want %v", differs, wantDiffers)
	}
	if stored, err := New(s).Header(t.Context(), p.ID); err != nil || !reflect.DeepEqual(stored, want) {
		t.Errorf("stored %+v, %v", stored, err)
	}
}

func TestSubmit(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		p := planOf(t, tinyGrid)
		submit(t, s, p, tinyGrid, &p.Header, false)
		wantWhole(t, New(s), p)
		if src, err := New(s).Grid(t.Context(), p.ID); err != nil || string(src) != tinyGrid {
			t.Errorf("grid %q, %v", src, err)
		}
		before := snapshot(t, s)
		submit(t, s, p, tinyGrid, &p.Header, false)
		wantUnchanged(t, s, before)

		src := strings.Replace(tinyGrid, "keep: 2", "keep: 3", 1)
		other := planOf(t, src)
		submit(t, s, other, src, &other.Header, true)
		if other.ID != p.ID || get(t, s, GridKey(p.ID)) != src {
			t.Error("the section run of the last submission is not the one that counts")
		}
	})
}

// A sweep that has been extended stays extended when its first grid is submitted
// again.
func TestSubmitKeepsAnExtension(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		p, extended := planOf(t, tinyGrid), planOf(t, tinyGrid)
		submit(t, s, p, tinyGrid, &p.Header, false)
		extend(t, extended)
		storePlan(t, s, extended)
		before := snapshot(t, s)
		submit(t, s, p, tinyGrid, &extended.Header, false)
		src := strings.Replace(tinyGrid, "keep: 2", "keep: 3", 1)
		submit(t, s, planOf(t, src), src, &extended.Header, true)
		wantUnchanged(t, s, before)
	})
}

// extend adds one cell to a plan of tinyGrid.
func extend(t *testing.T, p *plan.Plan) {
	t.Helper()
	wider := planOf(t, strings.Replace(tinyGrid, "[2, 3, 4]", "[2, 3, 4, 5]", 1))
	if n, err := p.Extend(wider); n != 1 || err != nil {
		t.Fatalf("the extension adds %d cells, %v", n, err)
	}
}

// A damaged header is mended by the next submission.
func TestSubmitOverADamagedHeader(t *testing.T) {
	p := planOf(t, tinyGrid)
	for name, header := range map[string]string{"empty": "", "torn": `{"version": 1, "name"`, "old": `{"version": 0}`} {
		t.Run(name, func(t *testing.T) {
			s := storagetest.NewMemory()
			put(t, s, PlanKey(p.ID), header)
			submit(t, s, p, tinyGrid, &p.Header, false)
			wantWhole(t, New(s), p)
		})
	}
}

// The plan of a newer build is not overwritten, and neither is one that cannot be
// read at the moment.
func TestSubmitRefuses(t *testing.T) {
	p := planOf(t, tinyGrid)
	s := storagetest.NewMemory()
	storePlan(t, s, p)
	replace(t, s, PlanKey(p.ID), `"version": 1`, `"version": 2`)
	before := snapshot(t, s)
	for name, c := range map[string]struct {
		store storage.Store
		want  error
	}{
		"newer version": {s, storage.ErrNewerVersion},
		"no answer":     {storagetest.NewFaulty(s, storagetest.Before, 1), storagetest.ErrInjected},
		"half answer":   {storagetest.NewFaulty(s, storagetest.BrokenRead, 1), storagetest.ErrInjected},
	} {
		h, _, err := New(c.store).Submit(t.Context(), p, []byte(tinyGrid))
		if !errors.Is(err, c.want) || h != nil {
			t.Errorf("%s: header %v, %v, want %v", name, h, err, c.want)
		}
	}
	wantUnchanged(t, s, before)
}
