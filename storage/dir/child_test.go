package dir_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/dir"
	"github.com/topksweep/sweep/storage/storagetest"
)

// Tests that need another process run this test binary again, with the role of
// the child in the environment.
const roleVar = "SWEEP_DIR_TEST_ROLE"

var roles = map[string]func(root string) error{"writer": writer, "disk": badDisks}

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

func writer(root string) error {
	s, err := dir.Open(root)
	if err != nil {
		return err
	}
	return storagetest.Writer(s, os.Stdout)
}

// TestKill kills a writer again and again. Its temporary files must be gone when
// the store is opened again.
func TestKill(t *testing.T) {
	root := t.TempDir()
	openAt(t, root)
	leftovers := 0
	storagetest.RunKill(t, 60, func() *exec.Cmd { return child(t, "writer", root) }, func() storage.Store {
		leftovers += len(temps(t, root))
		s := openAt(t, root)
		if left := temps(t, root); len(left) > 0 {
			t.Errorf("left %v", left)
		}
		return s
	})
	t.Logf("%d kills were in the middle of a write", leftovers)
	if leftovers == 0 {
		t.Error("no kill was in the middle of a write")
	}
}
