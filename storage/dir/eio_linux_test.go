package dir_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
)

// The kernel answers EIO to a read of /proc/self/mem from its beginning, as it does for a
// disk with a bad sector, or a network file system that has lost its server. A file that
// cannot be read is not damaged: no older checkpoint takes its place, and once it can be
// read the run goes on from there.
func TestFileGivesEIO(t *testing.T) {
	for _, kind := range []string{"manifests", "data"} {
		root := t.TempDir()
		s := openAt(t, root)
		storagetest.SaveCheckpoints(t, s, "run", nil, 10, 20)
		paths, err := filepath.Glob(filepath.Join(root, "stages", "run", kind, "*"))
		if err != nil || len(paths) != 2 {
			t.Fatal(paths, err)
		}
		sound := paths[1] + "+away"
		if err := errors.Join(os.Rename(paths[1], sound), os.Symlink("/proc/self/mem", paths[1])); err != nil {
			t.Fatal(err)
		}
		c, err := storage.NewCheckpoints(s, "run", nil)
		if err != nil {
			t.Fatal(err)
		}
		restore := func() (*storage.Manifest, error) {
			return c.RestoreAtMost(t.Context(), math.MaxInt64, func(_ *storage.Manifest, r io.Reader) error {
				_, err := io.Copy(io.Discard, r)
				return err
			})
		}
		m, err := restore()
		if !errors.Is(err, syscall.EIO) || errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%s: restored %v, %v", kind, m, err)
		}
		get, remove := "get stages/run/"+kind+"/", "delete stages/run/manifests/"
		for _, part := range []string{get, "input/output error", "step 20", remove} {
			if !strings.Contains(fmt.Sprint(err), part) {
				t.Errorf("%s: %v lacks %q", kind, err, part)
			}
		}
		if err := errors.Join(os.Remove(paths[1]), os.Rename(sound, paths[1])); err != nil {
			t.Fatal(err)
		}
		if m, err := restore(); err != nil || m.Step != 20 {
			t.Errorf("%s: restored %v, %v, want step 20", kind, m, err)
		}
	}
}
