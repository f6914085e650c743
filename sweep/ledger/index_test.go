package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/plan"
)

// named is tinyGrid under another name. Other seeds make other cells, and with them
// another ID.
func named(t *testing.T, name string, seed int) *plan.Plan {
	t.Helper()
	src := strings.Replace(tinyGrid, "name: tiny", "name: "+name, 1)
	return planOf(t, strings.Replace(src, "steps: 40", fmt.Sprintf("seed: %d, steps: 40", seed), 1))
}

func TestSweepIDs(t *testing.T) {
	s, root := openDir(t)
	l := New(s)
	if ids, err := l.SweepIDs(t.Context()); err != nil || len(ids) > 0 {
		t.Errorf("an empty store has the sweeps %q, %v", ids, err)
	}
	at := time.Unix(1e9, 0)
	oldest, newest, middle := named(t, "a", 0), named(t, "b", 0), named(t, "c", 0)
	for _, p := range []*plan.Plan{oldest, newest, middle} {
		storePlan(t, s, p)
	}
	setTime(t, root, PlanKey(oldest.ID), at)
	setTime(t, root, PlanKey(middle.ID), at.Add(time.Hour))
	setTime(t, root, PlanKey(newest.ID), at.Add(2*time.Hour))
	// What was stored later does not count for the order, and what is no header is no sweep.
	put(t, s, GridKey(oldest.ID), tinyGrid)
	put(t, s, ChunkKey("half-stored", 0), "[]")
	put(t, s, ResultKey("x"), "{}")
	want := []string{newest.ID, middle.ID, oldest.ID}
	if ids, err := l.SweepIDs(t.Context()); err != nil || !slices.Equal(ids, want) {
		t.Errorf("sweeps %q, want %q, %v", ids, want, err)
	}

	setTime(t, root, ChunkKey(middle.ID, 0), at.Add(time.Hour)) // the header is stored again
	setTime(t, root, PlanKey(middle.ID), at.Add(4*time.Hour))
	if ids, err := l.SweepIDs(t.Context()); err != nil || !slices.Equal(ids, want) {
		t.Errorf("sweeps %q, want %q, %v", ids, want, err)
	}
	put(t, s, removingKey(newest.ID), "{}")
	want = want[1:]
	if ids, err := l.SweepIDs(t.Context()); err != nil || !slices.Equal(ids, want) {
		t.Errorf("sweeps %q, want %q, %v", ids, want, err)
	}
}

func TestFind(t *testing.T) {
	s, root := openDir(t)
	l := New(s)
	first, second, dashed := named(t, "tiny", 0), named(t, "tiny", 1), named(t, "tiny-b", 2)
	at := time.Unix(1e9, 0)
	for i, p := range []*plan.Plan{first, second, dashed} {
		storePlan(t, s, p)
		setTime(t, root, PlanKey(p.ID), at.Add(time.Duration(i)*time.Hour))
	}
	for want, p := range map[string]*plan.Plan{
		first.ID:                    first,
		second.ID:                   second,
		"tiny":                      second, // the newest of two
		"tiny-b":                    dashed,
		dashed.ID:                   dashed,
		first.ID[:len(first.ID)-1]:  first,
		dashed.ID[:len("tiny-b")+2]: dashed,
	} {
		if h, err := l.Find(t.Context(), want); err != nil || h.ID != p.ID {
			t.Errorf("found %+v for %q, want %s, %v", h, want, p.ID, err)
		}
	}
	for _, want := range []string{"", "TINY", first.ID + "0", "iny"} {
		h, err := l.Find(t.Context(), want)
		var unknown *UnknownSweepError
		if !errors.As(err, &unknown) || h != nil {
			t.Errorf("found %+v for %q, %v", h, want, err)
			continue
		}
		if known := []string{dashed.ID, second.ID, first.ID}; unknown.Want != want || !slices.Equal(unknown.Known, known) {
			t.Errorf("%q is unknown: %+v, want the known ones %q", want, unknown, known)
		}
	}
	for _, want := range []string{"t", "tin", "tiny-"} { // of two names
		var several *AmbiguousSweepError
		_, err := l.Find(t.Context(), want)
		if ids := []string{dashed.ID, second.ID, first.ID}; !errors.As(err, &several) || !slices.Equal(several.IDs, ids) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if err := l.store.Delete(t.Context(), PlanKey(dashed.ID)); err != nil {
		t.Fatal(err)
	}
	if h, err := l.Find(t.Context(), "ti"); err != nil || h.ID != second.ID {
		t.Errorf("the beginning of one name: %+v, %v", h, err)
	}
	if _, err := l.Find(t.Context(), "tiny-"); !errors.As(err, new(*AmbiguousSweepError)) {
		t.Errorf("the beginning of the IDs of two sweeps of one name: %v", err)
	}
	faulty := storagetest.NewFaulty(s, storagetest.Before, 1)
	if _, err := New(faulty).Find(t.Context(), "tiny"); !errors.Is(err, storagetest.ErrInjected) {
		t.Errorf("a store that does not answer: %v", err)
	}
}

func TestUnknownSweepError(t *testing.T) {
	var eleven []string
	for i := range 11 {
		eleven = append(eleven, fmt.Sprintf("s-%d", i))
	}
	for _, c := range []struct {
		known []string
		want  string
	}{
		{nil, `sweep "x": this store holds no sweeps`},
		{eleven[:2], `sweep "x" is not in this store; it has s-0, s-1`},
		{eleven, `sweep "x" is not in this store; it has s-0, s-1, s-2, s-3, s-4, s-5, s-6, s-7, s-8, s-9 and 1 more`},
		{[]string{"other-1", "X-ab12"}, `sweep "x" is not in this store; did you mean X?`},
	} {
		if got := (&UnknownSweepError{Want: "x", Known: c.known}).Error(); got != c.want {
			t.Errorf("%d known: %s\nwant %s", len(c.known), got, c.want)
		}
	}
}

func TestCount(t *testing.T) {
	s, root := openDir(t)
	ctx, p, other := t.Context(), planOf(t, wideGrid()), planOf(t, tinyGrid)
	l := storePlan(t, s, p)
	at := time.Unix(1e9, 0)
	setTime(t, root, PlanKey(p.ID), at)
	none := Counts{Planned: at, Pending: p.CellCount, Created: at}
	if n, err := l.Count(ctx, &p.Header, nil); err != nil || n != none {
		t.Errorf("at first: %+v, %v", n, err)
	}
	for cell, status := range map[int]plan.Status{0: plan.Failed, 1: plan.Failed, 2: plan.Canceled} {
		if err := l.StoreFailure(ctx, p.ID, NewResult(&p.Header, p.Cells[cell], status)); err != nil {
			t.Fatal(err)
		}
	}
	for _, cell := range []int{2, 3, plan.ChunkSize, 599} {
		storeResult(t, s, p, cell, 1)
	}
	storeResult(t, s, other, 0, 1)
	storePlan(t, s, other)
	if err := l.StoreFailure(ctx, other.ID, NewResult(&other.Header, other.Cells[0], plan.Failed)); err != nil {
		t.Fatal(err)
	}
	runs, err := l.CompletedRuns(ctx)
	if err != nil || len(runs) != 5 {
		t.Fatalf("completed %v, %v", runs, err)
	}
	want := Counts{ // cell 2 has its result
		Completed: 4, Failed: 2, Notes: 3, Pending: p.CellCount - 6, Planned: at, Created: at,
	}
	if n, err := l.Count(ctx, &p.Header, runs); err != nil || n != want {
		t.Errorf("counted %+v, want %+v, %v", n, want, err)
	}
	put(t, s, FailureKey(p.ID, p.Cells[9].ID), "{")
	want.Failed, want.Notes, want.Pending = 3, 4, want.Pending-1
	if n, err := l.Count(ctx, &p.Header, runs); err != nil || n != want {
		t.Errorf("with a torn note: %+v, want %+v, %v", n, want, err)
	}
}
