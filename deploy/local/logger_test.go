//go:build !noserver

package local

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tlog "go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

func TestServerLogger(t *testing.T) {
	var buf bytes.Buffer
	var fatal *fatalError
	h := slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: slog.LevelWarn})
	root := serverLogger{l: slog.New(h), fatal: func(err *fatalError) { fatal = err }}
	a := tlog.With(tlog.With(root, tag.NewStringTag("service", "history")), tag.NewInt("shard", 3))
	b := tlog.With(root, tag.NewStringTag("service", "matching")) // has none of a's tags
	a.Info("unseen")
	a.Warn("slow", tag.NewInt("ms", 7))
	b.Error("gone")
	tlog.NewSlogLogger(a).Warn("by slog")
	if fatal != nil {
		t.Errorf("fatal: %v", fatal)
	}
	err := contain(func() error { b.Fatal("no port", tag.Error(os.ErrExist)); return nil })
	if !errors.Is(err, errExited) {
		t.Errorf("Fatal returned: %v", err)
	}
	if fatal == nil || fatal.Error() != "no port: file already exists" {
		t.Errorf("fatal: %v", fatal)
	}
	for _, want := range []string{
		"level=WARN msg=slow service=history shard=3 ms=7\n",
		"level=ERROR msg=gone service=matching\n",
		`level=WARN msg="by slog" service=history shard=3` + "\n",
		`level=ERROR msg="no port" service=matching error="file already exists"` + "\n",
	} {
		if !strings.Contains(buf.String(), want) {
			t.Errorf("log lacks %q:\n%s", want, buf.String())
		}
	}
	if n := strings.Count(buf.String(), "\n"); n != 4 {
		t.Errorf("%d lines; want 4", n)
	}
}

func TestLogFileIsBounded(t *testing.T) {
	name := filepath.Join(t.TempDir(), logName)
	const limit = 100
	line := []byte(strings.Repeat("x", 29) + "\n")
	for range 3 { // what earlier processes wrote counts too
		l := NewLogFile(name, limit)
		for range 5 {
			if n, err := l.Write(line); n != len(line) || err != nil {
				t.Fatal(n, err)
			}
		}
		for range 2 {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := l.Write(line); n != len(line) || err != nil {
			t.Errorf("after Close: %d, %v; want no error", n, err)
		}
	}
	// With 15 lines, and 3 in a file, the two files hold the last six.
	for _, f := range []string{name, name + ".1"} {
		if b, err := os.ReadFile(f); err != nil || len(b) != 3*len(line) {
			t.Errorf("%s: %d bytes, %v; want %d", f, len(b), err, 3*len(line))
		}
	}
}

// A log whose file cannot be opened, at first or when it is turned over, goes on when it
// can. Here a folder is in the way.
func TestLogFileGoesOn(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "logs", logName)
	l := NewLogFile(name, 10)
	defer l.Close()
	write := func(line string, ok bool) {
		t.Helper()
		if _, err := l.Write([]byte(line)); (err == nil) != ok {
			t.Errorf("%q: %v", line, err)
		}
	}
	write("lost\n", false)
	if err := os.MkdirAll(filepath.Join(name+".1", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("first\n", true)
	write("second\n", false) // the file cannot be renamed
	write("third\n", false)
	if err := os.RemoveAll(name + ".1"); err != nil {
		t.Fatal(err)
	}
	write("fourth\n", true)
	if b, err := os.ReadFile(name); err != nil || string(b) != "fourth\n" {
		t.Errorf("%q, %v", b, err)
	}
	if b, err := os.ReadFile(name + ".1"); err != nil || string(b) != "first\n" {
		t.Errorf("%q, %v", b, err)
	}
}
