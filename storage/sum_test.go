package storage_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
)

// saveState saves a state of n random bytes, and returns it.
func saveState(t *testing.T, n int) (*storage.Checkpoints, *storage.Manifest, []byte) {
	t.Helper()
	random, state := rand.New(rand.NewPCG(1, uint64(n))), make([]byte, n)
	for i := range state {
		state[i] = byte(random.Uint32())
	}
	c, err := storage.NewCheckpoints(storagetest.NewMemory(), "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	claim, err := c.Claim(t.Context(), storage.Holder{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := claim.Save(t.Context(), storage.Checkpoint{
		Step: 1, Format: "test/1", Body: bytes.NewReader(state), Size: int64(n),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, m, state
}

// The SHA-256 of a checkpoint is that of its bytes, however long it is, and whatever pieces a reader takes. A reader
// may write to its own memory at once.
func TestSumOfStates(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 256 << 10, 256<<10 + 1, 1<<21 + 12345} {
		c, m, state := saveState(t, n)
		if want := sha256.Sum256(state); m.SHA256 != hex.EncodeToString(want[:]) {
			t.Errorf("%d bytes have the sum %s", n, m.SHA256)
		}
		for _, most := range []int{1 << 12, 1 << 20, 1 << 22} {
			r, err := c.Open(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			for piece := make([]byte, most); err == nil; {
				var k int
				k, err = r.Read(piece[:1+random.IntN(most)])
				got = append(got, piece[:k]...)
				clear(piece)
			}
			if err != io.EOF || !bytes.Equal(got, state) {
				t.Errorf("%d of %d bytes in pieces of %d: %v", len(got), n, most, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// Who closes a checkpoint early, or saves one that cannot be read, leaves no goroutine behind: the bubble would not
// end.
func TestSumStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, _ := saveState(t, 1<<21)
		for _, n := range []int{0, 1, 1 << 20, 1 << 22} {
			r, err := c.Open(t.Context(), m)
			if err == nil {
				_, err = io.CopyN(io.Discard, r, int64(n))
			}
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("%d bytes are read after Close, %v", n, err)
			}
		}
		claim, err := c.Claim(t.Context(), storage.Holder{})
		if err != nil {
			t.Fatal(err)
		}
		cp := storage.Checkpoint{Step: 2, Format: "test/1", Body: unreadable{}, Size: 1 << 21}
		if _, err := claim.Save(t.Context(), cp); !errors.Is(err, errUnreadable) {
			t.Errorf("error %v", err)
		}
	})
}

// unreadable is a body of which only a half can be read.
type unreadable struct{}

var errUnreadable = errors.New("unreadable")

func (unreadable) ReadAt(p []byte, off int64) (int, error) {
	if off >= 1<<20 {
		return 0, errUnreadable
	}
	return len(p), nil
}
