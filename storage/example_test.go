package storage_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/dir"
)

// One attempt saves a checkpoint; the next one goes on from it.
func Example() {
	root, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(root)
	store, err := dir.Open(root)
	if err != nil {
		log.Fatal(err)
	}
	checkpoints, err := storage.NewCheckpoints(store, "ab12", nil)
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	claim, err := checkpoints.Claim(ctx, storage.Holder{})
	if err != nil {
		log.Fatal(err)
	}
	state := strings.NewReader("the weights after 100 steps")
	_, err = claim.Save(ctx, storage.Checkpoint{Step: 100, Format: "text", Body: state, Size: state.Size()})
	if err != nil {
		log.Fatal(err)
	}

	next, err := checkpoints.Claim(ctx, storage.Holder{}) // from here on, claim can save nothing
	if err != nil {
		log.Fatal(err)
	}
	var restored []byte
	m, err := checkpoints.RestoreAtMost(ctx, 5000, func(_ *storage.Manifest, r io.Reader) (err error) {
		restored, err = io.ReadAll(r)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("attempt %d goes on from step %d: %s\n", next.Attempt(), m.Step, restored)
	fmt.Println(claim.Check(ctx))
	// Output:
	// attempt 2 goes on from step 100: the weights after 100 steps
	// write stages/ab12: attempt 1 is fenced off by a newer attempt 2
}
