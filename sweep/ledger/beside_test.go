package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/plan"
)

// A turnstile lets one process at a time make one operation on a store. Which one is next is drawn, so that a seed
// stands for one order of all operations.
type turnstile struct {
	mu      sync.Mutex
	r       *rand.Rand
	active  int
	waiting []waiter
}

type waiter struct {
	process int
	next    chan struct{}
}

func (t *turnstile) wait(process int) {
	w := waiter{process, make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, w)
	t.leave()
	t.mu.Unlock()
	<-w.next
}

// leave notes that a process is active no more, and lets the next one go.
func (t *turnstile) leave() {
	if t.active--; t.active > 0 || len(t.waiting) == 0 {
		return
	}
	slices.SortFunc(t.waiting, func(a, b waiter) int { return cmp.Compare(a.process, b.process) })
	i := t.r.IntN(len(t.waiting))
	close(t.waiting[i].next)
	t.waiting = slices.Delete(t.waiting, i, i+1)
	t.active++
}

func (t *turnstile) done() { t.mu.Lock(); defer t.mu.Unlock(); t.leave() }

// A turnStore is a store behind a turnstile, as one process sees it.
type turnStore struct {
	storage.Store
	turns   *turnstile
	process int
}

func (s turnStore) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	s.turns.wait(s.process)
	return s.Store.Put(ctx, key, body, size)
}

func (s turnStore) PutNew(ctx context.Context, key string, data []byte) error {
	s.turns.wait(s.process)
	return storage.PutNew(ctx, s.Store, key, data)
}

func (s turnStore) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	s.turns.wait(s.process)
	return s.Store.Get(ctx, key)
}

func (s turnStore) List(ctx context.Context, prefix string) ([]storage.Object, error) {
	s.turns.wait(s.process)
	return s.Store.List(ctx, prefix)
}

// widened is tinyGrid with other values of an axis.
func widened(values string) string { return strings.Replace(tinyGrid, "[2, 3, 4]", values, 1) }

// A changer is what one process does to a sweep. It returns the IDs of the cells that it reports to be in the plan.
type changer struct {
	what string
	do   func(ctx context.Context, s storage.Store) (cells []string, err error)
}

func extender(t *testing.T, sweep, src string) changer {
	return changer{"extend by " + src[strings.Index(src, "parameters"):][:40],
		func(ctx context.Context, s storage.Store) (cells []string, err error) {
			add := planOf(t, src)
			_, err = New(s).Extend(ctx, sweep, add, []byte(src))
			return idsOf(add), err
		}}
}

func submitter(t *testing.T, src string) changer {
	if again := planOf(t, src); again.ID != planOf(t, tinyGrid).ID {
		t.Fatalf("%s is another sweep", again.ID)
	}
	return changer{"submit", func(ctx context.Context, s storage.Store) ([]string, error) {
		p := planOf(t, src)
		h, _, err := New(s).Submit(ctx, p, []byte(src))
		if err == nil && h.CellCount < len(p.Cells) {
			err = fmt.Errorf("submitted %d cells, and the header has %d", len(p.Cells), h.CellCount)
		}
		return idsOf(p), err
	}}
}

func idsOf(p *plan.Plan) (ids []string) {
	for _, c := range p.Cells {
		ids = append(ids, c.ID)
	}
	return ids
}

// changersOf are processes that change one sweep in all ways.
func changersOf(t *testing.T, sweep string) []changer {
	return []changer{
		extender(t, sweep, widened("[2, 5, 6]")),
		extender(t, sweep, widened("[6, 7]")),
		extender(t, sweep, widened("[7, 8, 9]")),
		extender(t, sweep, strings.Replace(widened("[2, 9]"), "steps: 40", "steps: 40, seed: 3", 1)),
		submitter(t, tinyGrid),
		submitter(t, strings.Replace(tinyGrid, "keep: 2", "keep: 3", 1)),
		submitter(t, strings.Replace(tinyGrid, "decay_start: 0.5", "decay_start: 20", 1)), // spelt in another way
	}
}

// wantSound checks all headers of a sweep: none takes a cell away, or gives a number to another one. Those that count
// have all their cells and trees, each cell once.
func wantSound(t *testing.T, s storage.Store, sweep string, reported []string) {
	t.Helper()
	l, ctx := New(s), t.Context()
	numbers, err := l.headerNumbers(ctx, sweep)
	if err != nil {
		t.Fatal(err)
	}
	var before []string
	slices.Reverse(numbers)
	for i, n := range numbers {
		h, _, err := l.readHeader(ctx, sweep, n)
		if err != nil || n != i+1 {
			t.Fatalf("header %d of the headers %v: %v", n, numbers, err)
		}
		p, err := l.planOf(ctx, h)
		if err != nil {
			t.Fatalf("the cells of header %d: %v", n, err)
		}
		ids := idsOf(p)
		if len(ids) < len(before) || !slices.Equal(ids[:len(before)], before) {
			t.Errorf("header %d gives other cells the numbers of header %d", n, n-1)
		}
		before = ids
		numbered := make([]int, h.CellCount)
		for chunk := range h.TreeChunks {
			trees, err := l.TreesOf(ctx, h, chunk)
			if err != nil {
				t.Fatalf("chunk %d of the trees of header %d: %v", chunk, n, err)
			}
			for _, tree := range trees {
				for _, c := range tree.Cells {
					if c.Cell >= len(numbered) {
						t.Fatalf("header %d of %d cells has trees of cell %d", n, h.CellCount, c.Cell)
					}
					numbered[c.Cell]++
				}
			}
		}
		if slices.Min(numbered) != 1 || slices.Max(numbered) != 1 {
			t.Errorf("header %d has its cells in trees so often: %v", n, numbered)
		}
		for _, c := range p.Cells {
			if !h.Identifies(c) || len(c.Values) != len(h.Axes) {
				t.Errorf("header %d with the axes %v: cell %+v", n, h.Axes, c)
			}
		}
	}
	sorted := slices.Sorted(slices.Values(before))
	if len(slices.Compact(sorted)) != len(before) {
		t.Errorf("a cell is there twice: %v", before)
	}
	for _, id := range reported {
		if !slices.Contains(before, id) {
			t.Errorf("cell %s was reported to be in the plan", id)
		}
	}
}

// Many processes extend and submit one sweep at the same time, in any order of their operations, and some of them are
// killed between any two. Nothing that was reported is lost, and nobody is stuck afterwards.
func TestChangesAtOnce(t *testing.T) {
	for seed := range uint64(100) {
		s := storagetest.NewMemory()
		p := planOf(t, tinyGrid)
		r := rand.New(rand.NewPCG(seed, 7))
		if seed%4 > 0 { // else the first submission is among the changes
			storePlan(t, s, p)
		}
		all := changersOf(t, p.ID)
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:2+r.IntN(len(all)-1)]
		turns := &turnstile{r: r, active: len(all)}
		reported, errs := make([][]string, len(all)), make([]error, len(all))
		var wg sync.WaitGroup
		for i, c := range all {
			var own storage.Store = turnStore{s, turns, i}
			if r.IntN(2) == 0 {
				own = storagetest.NewFailing(own, storagetest.Before, 1+r.IntN(40)) // it is killed
			}
			wg.Go(func() {
				defer turns.done()
				cells, err := c.do(t.Context(), own)
				if errs[i] = err; err == nil {
					reported[i] = cells
				}
			})
		}
		wg.Wait()
		for i, err := range errs {
			if err != nil && !errors.Is(err, storagetest.ErrInjected) && !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("%s: %v", all[i].what, err)
			}
		}
		if _, err := New(s).Header(t.Context(), p.ID); err == nil {
			wantSound(t, s, p.ID, slices.Concat(reported...))
		}
		storePlanAgain(t, s)
		last := planOf(t, widened("[10, 11]"))
		if _, err := New(s).Extend(t.Context(), p.ID, last, []byte("last")); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		wantSound(t, s, p.ID, slices.Concat(append(reported, idsOf(last))...))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func storePlanAgain(t *testing.T, s storage.Store) {
	t.Helper()
	if _, _, err := New(s).Submit(t.Context(), planOf(t, tinyGrid), []byte(tinyGrid)); err != nil {
		t.Fatal(err)
	}
}

// The same on real stores, in the order that comes of it.
func TestChangesInStores(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		p := planOf(t, tinyGrid)
		storePlan(t, s, p)
		var mu sync.Mutex
		var reported []string
		var wg sync.WaitGroup
		for _, c := range changersOf(t, p.ID) {
			wg.Go(func() {
				cells, err := c.do(t.Context(), s)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("%s: %v", c.what, err)
				}
				reported = append(reported, cells...)
			})
		}
		wg.Wait()
		wantSound(t, s, p.ID, reported)
	})
}

// Whatever operation of an extension fails, or loses its answer, the next one comes to the same plan.
func TestExtendUnderFaults(t *testing.T) {
	add := widened("[4, 5]")
	for _, fault := range []storagetest.Fault{storagetest.Before, storagetest.After, storagetest.ShortBody} {
		for n := 1; ; n++ {
			s, p := storagetest.NewMemory(), planOf(t, tinyGrid)
			l := storePlan(t, s, p)
			faulty := storagetest.NewFaulty(s, fault, n)
			_, err := New(faulty).Extend(t.Context(), p.ID, planOf(t, add), []byte(add))
			if errors.Is(err, storagetest.ErrInjected) != faulty.Fired() {
				t.Errorf("%s at operation %d: %v", fault, n, err)
			}
			wantSound(t, s, p.ID, idsOf(p))
			done, err := l.Extend(t.Context(), p.ID, planOf(t, add), []byte(add))
			if err != nil || done.Plan.CellCount != 4 || done.Added > 1 {
				t.Errorf("%s at operation %d, and again: %+v, %v", fault, n, done, err)
			}
			wantSound(t, s, p.ID, idsOf(planOf(t, add)))
			if !faulty.Fired() {
				if n < 4 {
					t.Errorf("%s: %d operations", fault, n-1)
				}
				break
			}
		}
	}
}
