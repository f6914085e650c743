package dir_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
)

// TestKill kills a writer with SIGKILL, again and again, at a random point of its
// work. What it has been told is stored must be there, whole, and nothing else.
func TestKill(t *testing.T) {
	const kills = 60
	root := t.TempDir()
	rnd := rand.New(rand.NewPCG(20, 26))
	var lastPut, lastNew uint64
	leftovers := 0
	for kill := range kills {
		cmd := child(t, "writer", root)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		heard, err := io.ReadAll(io.LimitReader(lines, 1+rnd.Int64N(200)))
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(lines)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the writer ended by itself: %v", err)
		}
		for line := range strings.Lines(string(heard) + string(rest)) {
			var n uint64
			if _, err := fmt.Sscanf(strings.TrimLeft(line, "."), "put %d\n", &n); err == nil {
				lastPut = n
			}
			if _, err := fmt.Sscanf(line, "new %d\n", &n); err == nil {
				lastNew = n
			}
		}
		leftovers += len(temps(t, root))
		checkAfterKill(t, openAt(t, root), lastPut, lastNew)
		if left := temps(t, root); len(left) > 0 {
			t.Errorf("kill %d left %v", kill, left)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d kills survived, %d in the middle of a write, %d objects put, %d new", kills, leftovers, lastPut, lastNew)
	if leftovers == 0 || lastNew < kills {
		t.Error("the kills did not hit the writer at work")
	}
}

func checkAfterKill(t *testing.T, s storage.Store, lastPut, lastNew uint64) {
	t.Helper()
	b, err := storage.ReadAll(t.Context(), s, "put", 1<<20)
	if errors.Is(err, storage.ErrNotFound) && lastPut == 0 {
		return
	}
	if n, whole := number(b); err != nil || !whole || n < lastPut {
		t.Errorf("object %d (whole: %v), %v, but %d was acknowledged", n, whole, err, lastPut)
	}
	objects, err := s.List(t.Context(), "new/")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, o := range objects {
		var folder, n uint64
		if _, err := fmt.Sscanf(o.Key, "new/%d/%d", &folder, &n); err != nil {
			t.Errorf("listed %s", o.Key)
		}
		found = found || n == lastNew
		if n+20 < lastNew { // looked at after earlier kills
			continue
		}
		b, err := storage.ReadAll(t.Context(), s, o.Key, 1<<20)
		if got, whole := number(b); err != nil || !whole || got != n {
			t.Errorf("%s holds %d (whole: %v), %v", o.Key, got, whole, err)
		}
	}
	if lastNew > 0 && !found {
		t.Errorf("new object %d was acknowledged and is not there", lastNew)
	}
}
