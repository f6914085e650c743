package dir_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/dir"
)

// Tests that need another process run this test binary again, with the role of
// the child in the environment.
const roleVar = "SWEEP_DIR_TEST_ROLE"

var roles = map[string]func(root string) error{"writer": writer, "disk": disk}

func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv(roleVar)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := role(os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(t *testing.T, role, root string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, root)
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	return cmd
}

// state is an object that tells its number and whether it is whole.
func state(n uint64) []byte {
	b := binary.LittleEndian.AppendUint64(nil, n)
	r := rand.New(rand.NewPCG(n, 0))
	for range 40_000 + n%100*100 {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	return b
}

func number(b []byte) (uint64, bool) {
	if len(b) < 8 {
		return 0, false
	}
	n := binary.LittleEndian.Uint64(b)
	return n, bytes.Equal(b, state(n))
}

// writer writes forever: one object over and over, and new ones. It says
// "put N" and "new N" when the store has acknowledged them, and dots for what it
// reads of a body, so that it can be killed there.
func writer(root string) error {
	s, err := dir.Open(root)
	if err != nil {
		return err
	}
	ctx := context.Background()
	n := uint64(1)
	if b, err := storage.ReadAll(ctx, s, "put", 1<<20); err == nil {
		n = binary.LittleEndian.Uint64(b) + 1
	}
	for ; ; n++ {
		b := state(n)
		if err := s.Put(ctx, "put", dots{bytes.NewReader(b)}, int64(len(b))); err != nil {
			return err
		}
		fmt.Printf("put %d\n", n)
		if err := s.PutNew(ctx, fmt.Sprintf("new/%d/%d", n%7, n), b); err != nil {
			return err
		}
		fmt.Printf("new %d\n", n)
	}
}

type dots struct{ *bytes.Reader }

func (d dots) ReadAt(p []byte, off int64) (int, error) {
	fmt.Print(".")
	return d.Reader.ReadAt(p[:min(len(p), 50_000)], off)
}
