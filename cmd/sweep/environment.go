package main

import (
	"cmp"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// An environment is what a verb knows of the world around it.
type environment struct {
	out    io.Writer // results
	errOut io.Writer // messages and progress
	tty    bool      // errOut is a terminal, on which progress is drawn as bars
	outTTY bool      // out is a terminal, on which no binary format is written
	width  int       // columns of that terminal; 0 for a file or a pipe
	cache  string    // a folder for what data sets were found to hold; "" for none

	caller   caller // the command that runs
	storeURL string // of its store; "" if it has none

	cacheFlag cacheFlag
	opened    *openedObjects // nil until data are opened

	hooks
}

// hooks are what tests change in a program that they run. The program itself has none.
type hooks struct {
	renew   time.Duration                         // between two renewals of a claim; 0: the usual time
	backend func(trainer.Backend) trainer.Backend // put between the program and its backend; nil: nothing
	store   func(storage.Store) storage.Store     // put between the program and a store that it writes to; nil: nothing
}

// dataCache is the folder for what data sets were found to hold, or "" if the user has no
// folder for caches.
func dataCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "sweep", "data")
}

// terminal is where progress is shown.
func (e *environment) terminal() progress.Terminal {
	t := progress.Terminal{Out: e.errOut, Interactive: e.tty, Columns: progress.Wide}
	if f, ok := e.errOut.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
			t.Columns = columns
		}
	}
	return t
}

// print prints a text for people. Lines that are longer than the terminal are broken.
func (e *environment) print(write func(w io.Writer) error) error {
	var b strings.Builder
	failed := write(&b)
	_, err := io.WriteString(e.out, table.Fold(b.String(), e.width))
	return cmp.Or(failed, err)
}

// writeJSON writes a value as indented JSON to the results.
func (e *environment) writeJSON(v any) error {
	enc := json.NewEncoder(e.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// An errorWriter remembers its first error, so that not every line printed needs
// a check.
type errorWriter struct {
	to  io.Writer
	err error
}

func (w *errorWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if w.err == nil {
		w.err = err
	}
	return n, err
}
