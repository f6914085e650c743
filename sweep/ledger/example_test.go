package ledger_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/topksweep/sweep/storage/dir"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// Whoever has a store and the name of a sweep can read what its cells have come to.
func Example() {
	root, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(root)
	storeSweep(root)

	ctx := context.Background()
	store, err := dir.Open(root)
	if err != nil {
		log.Fatal(err)
	}
	l := ledger.New(store)
	h, err := l.Find(ctx, "small") // the header of the newest sweep of that name
	if err != nil {
		log.Fatal(err)
	}
	p, err := l.Plan(ctx, h.ID) // with its cells
	if err != nil {
		log.Fatal(err)
	}
	results, err := l.Results(ctx, h) // one for each cell, in the order of the cells
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("sweep %s has %d cells\n", h.Name, len(p.Cells))
	for i, c := range p.Cells {
		fmt.Printf("%s: %s\n", h.Label(c), results[i].Status)
	}
	// Output:
	// sweep small has 3 cells
	// k=8: completed
	// k=16: failed
	// k=32: pending
}

// storeSweep stores what a sweep of three cells leaves in a directory when the
// first has its result, the second has failed and the third has not begun.
func storeSweep(root string) {
	ctx := context.Background()
	store, err := dir.Open(root)
	if err != nil {
		log.Fatal(err)
	}
	src := []byte("name: small\ndata: {source: acts}\nparameters: {k: [8, 16, 32]}\n")
	g, err := grid.Parse("grid.yaml", src, grid.ParseOptions{})
	if err != nil {
		log.Fatal(err)
	}
	// data.Open describes real data so.
	info := trainer.DataInfo{Rows: 1_000_000, EvalRows: 65_536, Dim: 64, Scale: 1, Fingerprint: "f00d"}
	p, err := plan.New(g, info, plan.Estimates{})
	if err != nil {
		log.Fatal(err)
	}
	l := ledger.New(store)
	if err := l.StorePlan(ctx, p); err != nil {
		log.Fatal(err)
	}
	done := ledger.NewResult(&p.Header, p.Cells[0], plan.Completed)
	if err := l.StoreResult(ctx, p.RunID(done.Cell), done); err != nil {
		log.Fatal(err)
	}
	if err := l.StoreFailure(ctx, p.ID, ledger.NewResult(&p.Header, p.Cells[1], plan.Failed)); err != nil {
		log.Fatal(err)
	}
}
