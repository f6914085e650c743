package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

// tellPlaces says where the table of a sweep that has ended, its models and its curves lie. What is not there is left
// out.
func tellPlaces(env *environment, at location, header *plan.Header, results []ledger.Result) {
	store, err := storeForPeople(at.storeURL())
	if err != nil {
		return
	}
	if env.outTTY { // the table stands right above
		fmt.Fprintln(env.errOut)
	}
	place := func(key string) (path string, there bool) {
		if strings.Contains(store, "://") { // a bucket is not asked for what was just stored
			return strings.TrimSuffix(store, "/") + "/" + key, true
		}
		path = filepath.Join(store, filepath.FromSlash(key))
		_, err := os.Stat(path)
		return path, err == nil
	}
	if path, ok := place(ledger.ReportKey(header.ID, "results.csv")); ok {
		fmt.Fprintf(env.errOut, "table   %s\n", path)
	}
	var runs []string
	for _, r := range results {
		if r.Status == plan.Completed {
			runs = append(runs, r.Run)
		}
	}
	if len(runs) == 0 {
		return
	}
	// A key ends with a slash, and the path of a folder does not.
	if path, ok := place(strings.TrimSuffix(ledger.ModelKey(runs[0], ""), "/")); ok && len(runs) == 1 {
		fmt.Fprintf(env.errOut, "models  %s\n", path)
	} else if ok {
		fmt.Fprintf(env.errOut, "models  %s  (a folder for each run: column model_path)\n", path[:len(path)-len(runs[0])-1])
	}
	fmt.Fprintf(env.errOut, "curves  %s\n", env.command("curves", header.ID))
}
