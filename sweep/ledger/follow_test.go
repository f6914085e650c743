package ledger

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/plan"
)

// A countingStore counts the objects that are read of it, except headers of plans.
type countingStore struct {
	storage.Store
	storage.NewPutter
	reads atomic.Int64
}

func (s *countingStore) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if _, _, isHeader := headerOfKey(key); !isHeader {
		s.reads.Add(1)
	}
	return s.Store.Get(ctx, key)
}

// A Follower tells what Results tells, whatever happens to the sweep, and reads again only what is new.
func TestFollow(t *testing.T) {
	ctx, memory := t.Context(), storagetest.NewMemory()
	s := &countingStore{Store: memory, NewPutter: memory}
	p := planOf(t, tinyGrid)
	l := storePlan(t, s, p)
	if _, _, err := l.Follow("nosuch-12345678").Read(ctx); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("no such sweep: %v", err)
	}
	f := l.Follow(p.ID)
	check := func(what string, most int) {
		t.Helper()
		s.reads.Store(0)
		got, results, err := f.Read(ctx)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if n := s.reads.Load(); n > int64(most) {
			t.Errorf("%s: %d objects read, want at most %d", what, n, most)
		}
		h, err := l.Header(ctx, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		want, err := l.Results(ctx, h)
		if err == nil {
			err = l.CountAuxK(ctx, want)
		}
		if err != nil || !reflect.DeepEqual(results, want) {
			t.Errorf("%s: %+v, want %+v, %v", what, results, want, err)
		}
		cells := 0
		for _, tree := range got.Trees {
			cells += len(tree.Cells)
		}
		if len(got.Cells) != h.CellCount || cells != h.CellCount {
			t.Errorf("%s: %d cells, %d in trees; want %d", what, len(got.Cells), cells, h.CellCount)
		}
	}
	check("stored", 100)
	check("nothing new", 0)
	storeResult(t, s, p, 1, 0.5)
	check("a result", 1)
	note := NewResult(&p.Header, p.Cells[2], plan.Failed)
	note.Error = "no"
	if err := l.StoreFailure(ctx, p.ID, note); err != nil {
		t.Fatal(err)
	}
	check("a failure", 2) // there is no result, then the note
	check("nothing new", 0)
	if err := l.DeleteFailure(ctx, p.ID, p.Cells[2].ID); err != nil {
		t.Fatal(err)
	}
	storeResult(t, s, p, 2, 0.25)
	check("a retry", 1)
	if err := l.DeleteResult(ctx, p.RunID(p.Cells[1].ID)); err != nil {
		t.Fatal(err)
	}
	check("a result that is gone", 2)
	before := p.CellCount
	if _, err := p.Extend(planOf(t, strings.Replace(tinyGrid, "[2, 3, 4]", "[2, 5, 6]", 1))); err != nil {
		t.Fatal(err)
	}
	if err := l.StoreExtension(ctx, p, before, []byte(tinyGrid)); err != nil {
		t.Fatal(err)
	}
	check("an extension", 100)
	check("nothing new", 0)
}
