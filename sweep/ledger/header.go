package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
)

// A plan is changed by a further header. Headers and the objects that they name never change, so that several
// processes may change a plan at the same time, and each may be killed at any moment:
//
//	plan.json          the first header
//	plan-000002.json   that of the first change: it counts from the moment at which it is there
//	plan-000003.json   …
//
// Each is written by a conditional write under the number after the highest one that is there. Whoever finds that
// number taken reads the plan again, and does its work again on what it finds. A header that is damaged is passed over:
// the one before it counts.
//
// Programs that know no further headers would go on with the first one. So the first thing that a change does is to
// mark plan.json: the same header with the number 1, and with it a version that these programs refuse.

// current is what a store has of a sweep's headers.
type current struct {
	header *plan.Header // that counts; nil if there is none
	sum    [sha256.Size]byte
	newest int // the highest number that is there, sound or not; 0 if there is no header
}

// current reads the header of a sweep that counts. known is the number of a header that is known to be there, also if a
// listing lags behind, or 0. Where no header is sound, cur.header is nil and unsound says why. The error is that of a
// store that fails, or wraps storage.ErrNewerVersion.
func (l *Ledger) current(ctx context.Context, sweep string, known int) (cur current, unsound, err error) {
	numbers, removing, err := l.listHeaders(ctx, sweep)
	if err == nil && removing {
		err = storage.Wrap("get", PlanKey(sweep), ErrRemoving)
	}
	if err != nil {
		return cur, nil, err
	}
	if known > 0 && !slices.Contains(numbers, known) {
		numbers = append(numbers, known)
		slices.SortFunc(numbers, func(a, b int) int { return b - a })
	}
	return l.newestSound(ctx, sweep, numbers)
}

// newestSound is current for headers with these numbers, the highest first.
func (l *Ledger) newestSound(ctx context.Context, sweep string, numbers []int) (cur current, unsound, err error) {
	unsound = storage.Wrap("get", PlanKey(sweep), storage.ErrNotFound)
	for i, n := range numbers {
		cur.newest = max(cur.newest, n)
		h, sum, err := l.readHeader(ctx, sweep, n)
		switch {
		case err == nil:
			cur.header, cur.sum = h, sum
			return cur, nil, nil
		case !errors.Is(err, storage.ErrCorrupt):
			return cur, nil, err
		case i == 0:
			unsound = err
		}
	}
	return cur, unsound, nil
}

// headerNumbers lists the numbers of a sweep's headers, the highest first.
func (l *Ledger) headerNumbers(ctx context.Context, sweep string) ([]int, error) {
	numbers, _, err := l.listHeaders(ctx, sweep)
	return numbers, err
}

// listHeaders is headerNumbers, and says whether the sweep is being removed.
func (l *Ledger) listHeaders(ctx context.Context, sweep string) (numbers []int, removing bool, err error) {
	objects, err := l.store.List(ctx, sweepsPrefix+sweep+"/"+planFile)
	if err != nil {
		return nil, false, err
	}
	for _, o := range objects {
		removing = removing || o.Key == removingKey(sweep)
		if id, n, ok := headerOfKey(o.Key); ok && id == sweep {
			numbers = append(numbers, n)
		}
	}
	slices.SortFunc(numbers, func(a, b int) int { return b - a })
	return numbers, removing, nil
}

func headerKey(sweep string, number int) string {
	if number <= 1 {
		return PlanKey(sweep)
	}
	return NextPlanKey(sweep, number)
}

// readHeader reads one header, until two reads agree: nothing else shows a misread number in it.
func (l *Ledger) readHeader(ctx context.Context, sweep string, number int) (*plan.Header, [sha256.Size]byte, error) {
	type header struct {
		*plan.Header
		sum [sha256.Size]byte
	}
	parse := func(b []byte) (header, error) {
		h, err := decodeHeader(b)
		switch {
		case err != nil:
		case h.ID != sweep:
			err = fmt.Errorf("%w: it is the plan of sweep %q", storage.ErrCorrupt, h.ID)
		case max(1, h.Number) != number:
			err = fmt.Errorf("%w: it is header %d", storage.ErrCorrupt, h.Number)
		}
		return header{h, sha256.Sum256(b)}, err
	}
	h, err := storage.ReadSteady(ctx, storage.Certain(l.store), headerKey(sweep, number), maxObject, parse)
	return h.Header, h.sum, err
}

// encodeHeader returns a header as it is stored. Equal headers are equal bytes.
func encodeHeader(h *plan.Header) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(h); err != nil {
		return nil, fmt.Errorf("encode plan %s: %w", h.ID, err)
	}
	return b.Bytes(), nil
}

// maxTries is how often a change of a plan begins again because another process changed it first. One of those that try
// at the same time succeeds each time.
const maxTries = 100

// errTaken says that another process changed a plan first.
var errTaken = errors.New("another process changed the plan at the same time")

// change stores what next makes of the header that counts, which may be nil; unsound then says why. next stores what
// its header names, and returns that, or nil if nothing is to change. It is called again if another process was faster.
// The header that it returned has its number and version in the end.
func (l *Ledger) change(ctx context.Context, sweep string,
	next func(cur current, unsound error) (*plan.Header, error)) error {

	known := 0
	for range maxTries {
		cur, unsound, err := l.current(ctx, sweep, known)
		if err != nil {
			return err
		}
		h, err := next(cur, unsound)
		if err != nil || h == nil {
			return err
		}
		if err = l.put(ctx, cur, h); !errors.Is(err, errTaken) {
			return err
		}
		known = max(1, h.Number)
	}
	return fmt.Errorf("change sweep %s: %w, %d times: try again", sweep, errTaken, maxTries)
}

// put stores the next header. The error wraps errTaken if another process was faster.
func (l *Ledger) put(ctx context.Context, cur current, h *plan.Header) error {
	h.Number = 0
	if cur.newest > 0 {
		h.Number = cur.newest + 1
		if err := l.mark(ctx, cur, h); err != nil {
			return err
		}
	} else if len(h.Parts) > 0 {
		h.Number = 1
	}
	if h.Number > 0 {
		h.Parts = h.StoredParts() // a misread count of cells shows
	}
	h.Version = plan.VersionOf(h)
	b, err := encodeHeader(h)
	if err != nil {
		return err
	}
	key := headerKey(h.ID, h.Number)
	err = storage.PutNew(ctx, l.store, key, b)
	if !errors.Is(err, storage.ErrExists) {
		return err
	}
	stored, err := storage.ReadAll(ctx, l.store, key, maxObject)
	switch {
	case err != nil && !errors.Is(err, storage.ErrCorrupt):
		return err
	case err == nil && bytes.Equal(stored, b): // an equal change, or this one, whose answer got lost
		return nil
	}
	return fmt.Errorf("%w: %s", errTaken, key)
}

// mark makes sure that older programs refuse a plan before its second header is stored. A first header that is damaged
// or gone becomes the one that counts, or that is stored next.
func (l *Ledger) mark(ctx context.Context, cur current, next *plan.Header) error {
	first, _, err := l.readHeader(ctx, next.ID, 1)
	switch {
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrCorrupt):
		if first = cur.header; first == nil {
			first = next
		}
	case err != nil:
		return err
	case first.Number > 0:
		return nil
	}
	marked := *first
	marked.Number, marked.Parts = 1, marked.StoredParts()
	marked.Version = plan.VersionOf(&marked)
	b, err := encodeHeader(&marked)
	if err != nil {
		return err
	}
	return storage.PutBytes(ctx, l.store, PlanKey(next.ID), b)
}

// touch stores the header that counts once more, as it is: a listing shows that the sweep was submitted again.
func (l *Ledger) touch(ctx context.Context, cur current) error {
	b, err := encodeHeader(cur.header)
	if err != nil {
		return err
	}
	if sha256.Sum256(b) != cur.sum {
		return nil // an older version wrote it, with other fields: its bytes stay
	}
	if err := storage.PutBytes(ctx, l.store, headerKey(cur.header.ID, cur.header.Number), b); err != nil {
		return err
	}
	if cur.header.Number > 0 {
		return nil
	}
	numbers, err := l.headerNumbers(ctx, cur.header.ID)
	if err == nil && len(numbers) > 0 && numbers[0] > 1 { // somebody had marked it since it was read
		err = l.mark(ctx, cur, cur.header)
	}
	return err
}
