package storagetest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
)

// Writer writes forever: one object over and over, and new ones. To out it writes
// "put N" and "new N" when the store has acknowledged them, and a dot for every
// block that is read of a body, so that it can be killed there. RunKill kills the
// process that runs it.
func Writer(s storage.Store, out io.Writer) error {
	ctx := context.Background()
	n := uint64(1)
	if b, err := get(ctx, s, "put"); err == nil {
		n = binary.LittleEndian.Uint64(b) + 1
	}
	for ; ; n++ {
		b := numbered(n)
		if err := s.Put(ctx, "put", dots{bytes.NewReader(b), out}, int64(len(b))); err != nil {
			return err
		}
		fmt.Fprintf(out, "put %d\n", n)
		if err := storage.PutNew(ctx, s, newKey(n), b); err != nil {
			return err
		}
		fmt.Fprintf(out, "new %d\n", n)
	}
}

type dots struct {
	*bytes.Reader
	out io.Writer
}

func (d dots) ReadAt(p []byte, off int64) (int, error) {
	fmt.Fprint(d.out, ".")
	return d.Reader.ReadAt(p, off)
}

func newKey(n uint64) string { return fmt.Sprintf("new/%d/%08d", n%7, n) }

// numbered returns the object number n. Its bytes show the number, and whether the
// object is whole.
func numbered(n uint64) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, n), noise(n, 300_000+int(n%100)*1000)...)
}

func number(b []byte) (uint64, bool) {
	if len(b) < 8 {
		return 0, false
	}
	n := binary.LittleEndian.Uint64(b)
	return n, bytes.Equal(b, numbered(n))
}

// RunKill starts a process that runs Writer on its standard output and kills it
// with SIGKILL, kills times, each time at a random point of its work. After each
// kill, every object that was acknowledged must be there and whole, and nothing
// else. open opens the store that the child writes.
func RunKill(t *testing.T, kills int, child func() *exec.Cmd, open func() storage.Store) {
	rnd := rand.New(rand.NewPCG(20, 26))
	var last acknowledged
	for kill := range kills {
		output, err := startAndKill(child(), 1+rnd.Int64N(100))
		if err != nil {
			t.Fatal(err)
		}
		last.read(output)
		last.check(t, open())
		if t.Failed() {
			t.Fatalf("after kill %d", kill)
		}
	}
	t.Logf("%d kills survived, %d objects put, %d new", kills, last.put, last.new)
	if last.new < uint64(kills)/4 {
		t.Error("the kills did not hit the writer at work")
	}
}

// startAndKill kills the process when it has written n bytes, and returns all that
// it has written.
func startAndKill(cmd *exec.Cmd, n int64) (string, error) {
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	r := bufio.NewReader(out)
	output, err1 := io.ReadAll(io.LimitReader(r, n))
	err2 := cmd.Process.Kill()
	rest, err3 := io.ReadAll(r)
	err4 := cmd.Wait()
	if err := errors.Join(err1, err2, err3); err != nil {
		return "", err
	}
	if err4 == nil || !strings.Contains(err4.Error(), "killed") {
		return "", fmt.Errorf("the writer ended by itself: %w\n%s", err4, &errs)
	}
	return string(output) + string(rest), nil
}

// acknowledged holds the numbers of the last objects that the store acknowledged.
type acknowledged struct{ put, new uint64 }

func (a *acknowledged) read(output string) {
	for line := range strings.Lines(output) {
		line = strings.TrimLeft(line, ".")
		var n uint64
		if _, err := fmt.Sscanf(line, "put %d\n", &n); err == nil {
			a.put = n
		}
		if _, err := fmt.Sscanf(line, "new %d\n", &n); err == nil {
			a.new = n
		}
	}
}

func (a *acknowledged) check(t *testing.T, s storage.Store) {
	t.Helper()
	b, err := get(t.Context(), s, "put")
	if errors.Is(err, storage.ErrNotFound) && a.put == 0 {
		return
	}
	if n, whole := number(b); err != nil || !whole || n < a.put {
		t.Errorf("object %d (whole: %v), %v, but %d was acknowledged", n, whole, err, a.put)
	}
	found := a.new == 0
	for _, o := range list(t, s, "new/") {
		var folder, n uint64
		if _, err := fmt.Sscanf(o.Key, "new/%d/%d", &folder, &n); err != nil {
			t.Errorf("listed %s", o.Key)
		}
		found = found || n == a.new
		if n+10 < a.new { // looked at after earlier kills
			continue
		}
		b, err := get(t.Context(), s, o.Key)
		if got, whole := number(b); err != nil || !whole || got != n {
			t.Errorf("%s holds %d (whole: %v), %v", o.Key, got, whole, err)
		}
	}
	if !found {
		t.Errorf("new object %d was acknowledged and is not there", a.new)
	}
}
