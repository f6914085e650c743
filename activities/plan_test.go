package activities

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/trainer"
)

// An extension that died before it stored the header has left cells behind, which
// the plan does not have: the next one adds them.
func TestHalfExtended(t *testing.T) {
	header := makePlan(t, nil)
	b := newBench(t, openDir(t), header)
	add := planOf(t, strings.Replace(gridYAML, "[2, 3, 4]", "[2, 3, 4, 5]", 1))
	whole, err := ledger.New(b.store).Plan(t.Context(), header.ID)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := whole.Extend(add); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	chunk, err := json.Marshal(whole.Chunk(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := storage.PutBytes(t.Context(), b.store, ledger.ChunkKey(header.ID, 0), chunk); err != nil {
		t.Fatal(err)
	}
	again, err := ledger.New(b.store).Plan(t.Context(), header.ID)
	if err != nil || len(again.Cells) != 3 {
		t.Fatalf("%d cells, %v", len(again.Cells), err)
	}
	if results, err := ledger.New(b.store).Results(t.Context(), &header.Header); err != nil || len(results) != 3 {
		t.Errorf("%d results, %v", len(results), err)
	}
	if n, err := again.Extend(add); n != 1 || err != nil {
		t.Errorf("the next extension adds %d cells, %v", n, err)
	}
	if err := ledger.New(b.store).StorePlan(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if again, err = ledger.New(b.store).Plan(t.Context(), header.ID); err != nil || len(again.Cells) != 4 ||
		again.TreeChunks != 2 {
		t.Errorf("%d cells, %v", len(again.Cells), err)
	}
	// Cells that the header has and the chunk has not are damage.
	chunk, err = json.Marshal(header.Cells[:2])
	if err == nil {
		err = storage.PutBytes(t.Context(), b.store, ledger.ChunkKey(header.ID, 0), chunk)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.New(b.store).Plan(t.Context(), header.ID); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("cells are missing: %v", err)
	}
}

// A worker that has read where the data lay looks for it where it lies now.
func TestMovedData(t *testing.T) {
	p := makePlan(t, nil)
	there := p.Data
	p.Data = trainer.DataSpec{Source: filepath.Join(t.TempDir(), "nowhere")}
	b := newBench(t, openDir(t), p)
	if err := b.train(); err == nil {
		t.Fatal("trained without data")
	}
	p.Data = there
	if err := ledger.New(b.store).StorePlan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := b.train(); err != nil {
		t.Error(err)
	}
}
