package activities

import (
	"os"
	"strings"
	"testing"
)

// A data set that an attempt has found to be written to is closed with the others.
func TestDroppedSetIsClosed(t *testing.T) {
	maps := func() string {
		b, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Skip("no list of mapped files here")
		}
		return string(b)
	}
	p, file := planOnShard(t)
	w := submit(t, openDir(t), p)
	w.at(20, func() { overwrite(t, file, shardOf(2)) })
	wantType(t, w.train(), "DataChanged", false)
	if !strings.Contains(maps(), file) {
		t.Fatal("the set is closed while others may read from it")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(maps(), file) {
		t.Error("the file is mapped yet")
	}
}
