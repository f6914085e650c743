package dir_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/dir"
	"github.com/topksweep/sweep/storage/storagetest"
)

func open(t *testing.T) storage.Store {
	t.Helper()
	return openAt(t, t.TempDir())
}

func openAt(t *testing.T, root string) *dir.Store {
	t.Helper()
	s, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) { storagetest.Run(t, open) }

func TestCheckpointsUnderFaults(t *testing.T) { storagetest.RunCheckpoints(t, open) }

// temps returns the names of the temporary files under root.
func temps(t *testing.T, root string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, "+tmp"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// What a store creates has the modes that the umask leaves. A private one lets nobody in at its root.
func TestModes(t *testing.T) {
	probe := filepath.Join(t.TempDir(), "probe")
	if err := os.Mkdir(probe, 0o777); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(probe)
	if err != nil {
		t.Fatal(err)
	}
	left := info.Mode().Perm() // by the umask
	for name, c := range map[string]struct {
		open func(string) (*dir.Store, error)
		root fs.FileMode
	}{
		"Open": {dir.Open, left}, "OpenPrivate": {dir.OpenPrivate, 0o700},
	} {
		root := filepath.Join(t.TempDir(), "not", "there", "yet")
		s, err := c.open(root)
		if err != nil {
			t.Fatal(err)
		}
		if err := storage.PutBytes(t.Context(), s, "a/b", []byte("x")); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]fs.FileMode{
			"..": c.root | fs.ModeDir, ".": c.root | fs.ModeDir,
			"a": left | fs.ModeDir, "+tmp": left | fs.ModeDir, "a/b": left & 0o666,
		} {
			info, err := os.Stat(filepath.Join(root, path))
			if err != nil || info.Mode() != want {
				t.Errorf("%s: %s: %v, %v, want %v", name, path, info, err, want)
			}
		}
		if left := temps(t, root); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	}
}

// Clean removes empty folders, the inner ones first, and no others. A writer whose
// folder is removed meanwhile makes it again.
func TestCleanFolders(t *testing.T) {
	root := t.TempDir()
	s := openAt(t, root)
	put := func(key string) {
		t.Helper()
		if err := storage.PutBytes(t.Context(), s, key, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"stages/a/data/1", "stages/a/claims/1", "stages/b/data/1", "results/1.json"} {
		put(key)
	}
	for _, path := range []string{"photos/empty", "stages/+others"} { // of other programs
		if err := os.MkdirAll(filepath.Join(root, path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"stages/a/data/1", "stages/a/claims/1"} { // as earlier versions removed objects
		if err := os.Remove(filepath.Join(root, key)); err != nil {
			t.Fatal(err)
		}
	}
	clean := func(before time.Time, dry bool, want int) {
		t.Helper()
		if n, err := s.Clean(t.Context(), []string{"stages/", "results/"}, before, dry); err != nil || n != want {
			t.Errorf("removed (dry: %v) %d, %v, want %d", dry, n, err, want)
		}
	}
	clean(time.Now().Add(-time.Hour), false, 0)
	clean(time.Now().Add(time.Hour), true, 3)
	clean(time.Now().Add(time.Hour), false, 3)
	clean(time.Now().Add(time.Hour), false, 0)
	for path, there := range map[string]bool{
		"stages/a": false, "stages/b/data/1": true, "results/1.json": true,
		"+tmp": true, "photos/empty": true, "stages/+others": true,
	} {
		if _, err := os.Stat(filepath.Join(root, path)); (err == nil) != there {
			t.Errorf("%s: %v, want it there: %v", path, err, there)
		}
	}
	const rounds = 300
	storagetest.Parallel(t, 3, 3, func(i int) error {
		for n := range rounds {
			var err error
			switch key := fmt.Sprintf("deep/%d/er", i); i {
			case 0:
				_, err = s.Clean(t.Context(), []string{"deep/"}, time.Now().Add(time.Hour), n%2 == 0)
			default:
				err = storage.PutNew(t.Context(), s, key, nil)
				if err == nil {
					err = s.Delete(t.Context(), key)
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Opening a store while others write removes the temporary files of dead writers
// only.
func TestCleansUp(t *testing.T) {
	root := t.TempDir()
	s := openAt(t, root)
	if err := os.WriteFile(filepath.Join(root, "+tmp", "LEFTOVER"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	body := &openingBody{t: t, root: root, data: []byte("whole")}
	if err := s.Put(t.Context(), "key", body, int64(len(body.data))); err != nil {
		t.Fatal(err)
	}
	if !body.opened {
		t.Error("the body was not read")
	}
	if left := temps(t, root); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if b, err := storage.ReadAll(t.Context(), s, "key", 100); err != nil || string(b) != "whole" {
		t.Errorf("got %q, %v", b, err)
	}
}

// An openingBody opens the store again while it is being written.
type openingBody struct {
	t      *testing.T
	root   string
	data   []byte
	opened bool
}

func (b *openingBody) ReadAt(p []byte, off int64) (int, error) {
	openAt(b.t, b.root)
	b.opened = true
	if left := temps(b.t, b.root); len(left) != 1 || left[0] == "LEFTOVER" {
		b.t.Errorf("in the middle of a write there are %v, want its own file", left)
	}
	return bytes.NewReader(b.data).ReadAt(p, off)
}

// A person may remove folders by hand.
func TestRemakesFolders(t *testing.T) {
	root := t.TempDir()
	s := openAt(t, root)
	for range 2 {
		if err := storage.PutBytes(t.Context(), s, "a/b/c", []byte("x")); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "+tmp"} {
			if err := os.RemoveAll(filepath.Join(root, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestRootIsALink(t *testing.T) {
	root := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(root, link); err != nil {
		t.Skip(err)
	}
	s := openAt(t, link)
	if err := storage.PutBytes(t.Context(), s, "a/b", []byte("x")); err != nil {
		t.Fatal(err)
	}
	objects, err := s.List(t.Context(), "a/")
	if err != nil || len(objects) != 1 || objects[0].Key != "a/b" {
		t.Errorf("list: %v, %v", objects, err)
	}
}

func TestForeignFilesAreIgnored(t *testing.T) {
	root := t.TempDir()
	s := openAt(t, root)
	for _, name := range []string{"with space", "~backup", "ümlaut"} {
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if objects, err := s.List(t.Context(), ""); err != nil || len(objects) > 0 {
		t.Errorf("list: %v, %v", objects, err)
	}
}

func TestNotADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{file, filepath.Join(file, "below")} {
		_, err := dir.Open(root)
		if err == nil || !strings.HasPrefix(err.Error(), "open "+root+": ") ||
			!strings.Contains(err.Error(), "not a directory") {
			t.Errorf("%v", err)
		}
	}
	s := openAt(t, t.TempDir())
	if err := storage.PutBytes(t.Context(), s, "a", nil); err != nil {
		t.Fatal(err)
	}
	if err := storage.PutBytes(t.Context(), s, "a/b", nil); err == nil || !strings.HasPrefix(err.Error(), "put a/b: ") {
		t.Errorf("put under an object: %v", err)
	}
	if err := storage.PutBytes(t.Context(), s, "f/g", nil); err != nil {
		t.Fatal(err)
	}
	err := storage.PutBytes(t.Context(), s, "f", nil)
	if err == nil || !strings.Contains(err.Error(), "is a folder of other keys") {
		t.Errorf("put over a folder: %v", err)
	}
	if err := storage.PutNew(t.Context(), s, "f", nil); err == nil || errors.Is(err, storage.ErrExists) {
		t.Errorf("putnew over a folder: %v", err)
	}
}

func BenchmarkStore(b *testing.B) {
	s, err := dir.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	storagetest.Benchmark(b, s)
}

func TestCheckpointsUnderReadFaults(t *testing.T) { storagetest.RunReads(t, open) }

func TestObjectsUnderReadFaults(t *testing.T) { storagetest.RunObjects(t, open(t)) }

// A file system that is no longer mounted leaves an empty folder, in which nothing seems
// to be stored. That is an error, and nothing is written beside the store.
func TestUnmounted(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	s := openAt(t, root)
	if err := storage.PutBytes(t.Context(), s, "a/b", []byte("x")); err != nil {
		t.Fatal(err)
	}
	away := root + "-away"
	unmounted := func(how string) {
		t.Helper()
		_, getErr := s.Get(t.Context(), "a/b")
		_, listErr := s.List(t.Context(), "a/")
		for op, err := range map[string]error{
			"get": getErr, "list": listErr, "put": storage.PutBytes(t.Context(), s, "a/c", nil),
			"putnew": storage.PutNew(t.Context(), s, "a/c", nil),
		} {
			if err == nil || errors.Is(err, storage.ErrNotFound) || !strings.Contains(err.Error(), "mounted?") {
				t.Errorf("%s, %s: %v", how, op, err)
			}
		}
	}
	if err := os.Rename(root, away); err != nil {
		t.Fatal(err)
	}
	unmounted("gone")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	unmounted("empty")
	if entries, err := os.ReadDir(root); err != nil || len(entries) > 0 {
		t.Errorf("left %v, %v", entries, err)
	}
	if err := errors.Join(os.Remove(root), os.Rename(away, root)); err != nil {
		t.Fatal(err)
	}
	if b, err := storage.ReadAll(t.Context(), s, "a/b", 100); err != nil || string(b) != "x" {
		t.Errorf("mounted again: %q, %v", b, err)
	}
	if _, err := s.Get(t.Context(), "a/none"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("mounted again: %v", err)
	}
}

// A file that ends before the size that it had when it was opened was not read whole.
func TestFileEndsEarly(t *testing.T) {
	root := t.TempDir()
	s := openAt(t, root)
	if err := storage.PutBytes(t.Context(), s, "a", make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := os.Truncate(filepath.Join(root, "a"), 100); err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	if n != 100 || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// Whoever restores an earlier checkpoint, for whatever reason, leaves the higher one there.
func TestPruneLeavesHigherSteps(t *testing.T) {
	s := openAt(t, t.TempDir())
	storagetest.SaveCheckpoints(t, s, "run", nil, 10, 20)
	storagetest.SaveCheckpoints(t, s, "run", nil, 11, 12)
	c, err := storage.NewCheckpoints(s, "run", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, keep := range []int{2, 1, 0} {
		if _, err := c.Prune(t.Context(), keep); err != nil {
			t.Fatal(err)
		}
		all, err := c.Manifests(t.Context())
		isHigher := func(m *storage.Manifest) bool { return m.Step == 20 }
		if err != nil || len(all) != 1+keep || !slices.ContainsFunc(all, isHigher) {
			t.Errorf("keep %d: left %v, %v, want step 20 among them", keep, all, err)
		}
	}
}
