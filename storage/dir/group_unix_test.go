//go:build unix

package dir_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/dir"
)

func init() {
	roles["first"], roles["second"], roles["stranger"] = firstOfGroup, secondOfGroup, stranger
}

// TestGroup has two users of one group use a store one after the other, as processes of
// theirs. The second may replace, remove and go on with all that the first left there. Who is
// not in the group gets nothing.
func TestGroup(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be several users")
	}
	const group, first, second, other = 61000, 61001, 61002, 61003
	top := t.TempDir()
	exe := filepath.Join(top, "test")
	b, err := os.ReadFile(os.Args[0])
	root := filepath.Join(top, "shared")
	if err = errors.Join(err, os.WriteFile(exe, b, 0o755), os.Mkdir(root, 0o700), os.Chown(root, first, group),
		os.Chmod(root, 0o770|fs.ModeSetgid)); err != nil {
		t.Fatal(err)
	}
	for d := top; d != filepath.Clean(os.TempDir()) && d != "/"; d = filepath.Dir(d) { // the users must get to the store
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	as := func(uid, gid uint32, role string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), exe, root)
		cmd.Dir, cmd.Env = top, append(os.Environ(), roleVar+"="+role)
		// The group is not their first one, but one of others: so it must come from the folder.
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{gid}}}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", role, err, out)
		}
	}
	as(first, group, "first")
	as(other, other, "stranger")
	as(second, group, "second")
	as(first, group, "second") // and the other way round
}

// save claims a checkpoint folder and saves a step in it.
func save(ctx context.Context, s storage.Store, folder string, step int64) error {
	c, err := storage.NewCheckpoints(s, folder, nil)
	if err != nil {
		return err
	}
	claim, err := c.Claim(ctx, storage.Holder{})
	if err != nil {
		return err
	}
	if err := claim.Pin(ctx, step); err != nil {
		return err
	}
	_, err = claim.Save(ctx, storage.Checkpoint{Step: step, Format: "test/1", Body: strings.NewReader("state"), Size: 5})
	return err
}

// leftover is what a writer leaves behind that was killed.
func leftover(root string) error {
	return os.WriteFile(filepath.Join(root, "+tmp", "killed"), []byte("half"), 0o666)
}

// firstOfGroup leaves one of each thing in the store.
func firstOfGroup(root string) error {
	syscall.Umask(0o007)
	ctx := context.Background()
	s, err := dir.Open(root)
	if err != nil {
		return err
	}
	return errors.Join(
		storage.PutBytes(ctx, s, "results/a.json", []byte("first")),
		storage.PutNew(ctx, s, "results/b.json", []byte("first")),
		storage.PutNew(ctx, s, "stages/gone/data/1", []byte("first")),
		os.Remove(filepath.Join(root, "stages", "gone", "data", "1")), // its folders stay
		storage.PutNew(ctx, s, "stages/other/data/1", []byte("first")),
		save(ctx, s, "run", 1),
		leftover(root),
	)
}

// secondOfGroup does all to what another user left, and leaves the same again.
func secondOfGroup(root string) error {
	syscall.Umask(0o007)
	ctx := context.Background()
	s, err := dir.Open(root)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "+tmp", "killed")); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the other's temporary file is still there: %v", err)
	}
	if b, err := storage.ReadAll(ctx, s, "results/a.json", 100); err != nil || len(b) == 0 {
		return fmt.Errorf("read %q: %v", b, err)
	}
	if err := errors.Join(
		storage.PutBytes(ctx, s, "results/a.json", []byte("second")),
		s.Delete(ctx, "results/b.json"),
		s.Delete(ctx, "stages/other/data/1"), // with its folders
		save(ctx, s, "run", 2),               // goes on in the other's folder
	); err != nil {
		return err
	}
	removed, err := s.Clean(ctx, []string{"stages/"}, time.Now().Add(time.Hour), false)
	if err != nil || removed != 2 { // gone/data and gone
		return fmt.Errorf("%d folders removed, %v", removed, err)
	}
	f, err := storage.ListFolder(ctx, s, "run")
	if err != nil || len(f.Objects) < 6 {
		return fmt.Errorf("the folder has %d objects, %v", len(f.Objects), err)
	}
	if _, err := storage.Remove(ctx, s, f.Objects); err != nil {
		return err
	}
	return firstOfGroup(root)
}

// stranger finds nothing open.
func stranger(root string) error {
	if _, err := dir.Open(root); !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("open: %v", err)
	}
	if _, err := os.ReadFile(filepath.Join(root, "results", "a.json")); !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("read: %v", err)
	}
	return nil
}
