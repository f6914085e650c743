package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/topksweep/sweep/storage"
)

// SaveCheckpoints leaves checkpoints of some steps in a folder, under one new claim.
// The body of each is "state " and its step. Those of pins are forks.
func SaveCheckpoints(t *testing.T, s storage.Store, folder string, pins []int64, steps ...int64) {
	t.Helper()
	c, err := storage.NewCheckpoints(s, folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	claim, err := c.Claim(t.Context(), storage.Holder{})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range pins {
		err = errors.Join(err, claim.Pin(t.Context(), step))
	}
	for _, step := range steps {
		body := fmt.Append(nil, "state ", step)
		_, saveErr := claim.Save(t.Context(), storage.Checkpoint{
			Step: step, Format: "test/1", Body: bytes.NewReader(body), Size: int64(len(body)),
		})
		err = errors.Join(err, saveErr)
	}
	if err != nil {
		t.Fatal(err)
	}
}
