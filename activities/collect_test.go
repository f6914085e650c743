package activities

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// wideOf is gridYAML with 300 cells, which are two chunks, as another sweep of these names.
func wideOf(t *testing.T, sweep, lmName string) *plan.Plan {
	t.Helper()
	seeds := make([]string, 100) // and three values of k
	for i := range seeds {
		seeds[i] = fmt.Sprint(i)
	}
	return planOf(t, strings.NewReplacer("name: tiny", "name: "+sweep, "lm_name: toy", "lm_name: "+lmName,
		"parameters:", "parameters:\n  seed: ["+strings.Join(seeds, ", ")+"]").Replace(gridYAML))
}

// storeResults stores a result of each cell.
func (w *testWorker) storeResults() {
	w.Helper()
	for _, c := range w.plan.Cells {
		r := ledger.NewResult(&w.plan.Header, c, plan.Completed)
		if err := w.ledger.StoreResult(w.Context(), w.plan.RunID(c.ID), r); err != nil {
			w.Fatal(err)
		}
	}
}

// A resultCounter counts the reads of single results.
type resultCounter struct {
	storage.Store
	storage.NewPutter
	reads atomic.Int64
}

func (c *resultCounter) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if strings.HasPrefix(key, strings.TrimSuffix(ledger.ResultKey(""), ".json")) {
		c.reads.Add(1)
	}
	return c.Store.Get(ctx, key)
}

// An attempt to collect that ends when it writes the tables does not make the next one read each result again.
func TestCollectGoesOn(t *testing.T) {
	p := wideOf(t, "tiny", "toy")
	memory := storagetest.NewMemory()
	submit(t, memory, p).storeResults()
	tables := &tableRefuser{memory}
	if err := newWorker(t, tables, p).run(protocol.ActivityCollect, p.ID); err == nil {
		t.Fatal("the tables are written")
	}
	counter := &resultCounter{Store: memory, NewPutter: memory}
	newWorker(t, counter, p).collectAll()
	if n := counter.reads.Load(); n > 0 {
		t.Errorf("the second attempt reads %d results one by one", n)
	}
	if got := string(read(t, memory, ledger.ReportKey(p.ID, "results.csv"))); strings.Count(got, "\n") != 301 {
		t.Errorf("the table has %d lines", strings.Count(got, "\n"))
	}
}

// A tableRefuser takes no tables of results.
type tableRefuser struct{ *storagetest.Memory }

func (s *tableRefuser) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	if strings.HasSuffix(key, "/results.csv") {
		return storage.Wrap("put", key, storagetest.ErrInjected)
	}
	return s.Memory.Put(ctx, key, body, size)
}

// Results that get the names of another sweep are in its shards as they are then.
func TestCollectRenamed(t *testing.T) {
	store := openDir(t)
	submit(t, store, wideOf(t, "tiny", "toy")).storeResults()
	other := submit(t, store, wideOf(t, "other", "mended-lm"))
	other.collectAll()
	counter := &resultCounter{Store: store}
	results, err := ledger.New(counter).Results(t.Context(), &other.plan.Header)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Renamed || r.LMName != "mended-lm" {
			t.Fatalf("cell %s has other names", r.Cell)
		}
	}
	if n := counter.reads.Load(); n > 0 {
		t.Errorf("%d results are read one by one", n)
	}
}
