package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/topksweep/sweep/cmd/sweep/sweepbench"
	"github.com/topksweep/sweep/storage/minio/miniotest"
)

// TestMeasureSweep is make bench-sweep on the embedded server.
func TestMeasureSweep(t *testing.T) {
	file := os.Getenv("SWEEP_BENCH_TABLE")
	if file == "" {
		t.Skip("only for make bench-sweep")
	}
	o, err := sweepbench.ReadOptions(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	table := measureSweep(t, o).Markdown()
	fmt.Print(table)
	if err := os.WriteFile(file, []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What a run may cost on the embedded server with a folder as store, in requests besides those for files of models, in
// events of histories and in processor time of all processes. Requests and events hardly depend on the machine: of
// 1,000 runs they are 8.9, 1.7 of them lists, and 0.9. The first runs have activities of their own and take more: of
// 10,000 runs it is 1.2 lists. Processor time is 14 to 18 ms; the bound is for a machine several times slower than
// usual, that does other work besides.
const (
	mostRequests    = 12
	mostLists       = 3
	mostEvents      = 3
	mostBusy        = 100 * time.Millisecond
	mostHistory     = 4096    // events of a history
	mostHistorySize = 4 << 20 // bytes of a history
)

// TestCostOfSweep holds what a run of two steps costs besides them.
func TestCostOfSweep(t *testing.T) {
	r := measureSweep(t, sweepbench.Options{Runs: 1000, Slots: 16, Store: "dir"})
	for _, bound := range []struct {
		what      string
		got, most float64
	}{
		{"requests a run", r.RequestsPerRun(""), mostRequests},
		{"lists a run", r.RequestsPerRun("list"), mostLists},
		{"events a run", float64(r.Histories.Events) / float64(r.Runs), mostEvents},
		{"seconds of processor time a run", r.BusyPerRun().Seconds(), mostBusy.Seconds()},
		{"events of a history", float64(r.Histories.MostEvents), mostHistory},
		{"bytes of a history", float64(r.Histories.MostBytes), mostHistorySize},
	} {
		if !(bound.got <= bound.most) || bound.got <= 0 {
			t.Errorf("%s: %g, want at most %g and more than 0", bound.what, bound.got, bound.most)
		}
	}
	t.Log("\n" + r.Markdown())
}

// measureSweep runs a sweep with sweep up and sweep submit --wait. What sweep up takes to start and to stop does not
// count.
func measureSweep(t *testing.T, o sweepbench.Options) sweepbench.Result {
	t.Helper()
	dir, seen := t.TempDir(), t.TempDir()
	v := variables(o.Variables(seen))
	var servers []sweepbench.Process
	if o.Store == "minio" {
		bucket := miniotest.Start(t)
		v = append(v, "SWEEP_STORE=s3://bench/sweep", createBucketVariable+"=true", "AWS_REGION=us-east-1",
			"AWS_ENDPOINT_URL_S3="+bucket.Endpoint,
			"AWS_ACCESS_KEY_ID="+miniotest.User, "AWS_SECRET_ACCESS_KEY="+miniotest.Password)
		servers = append(servers, sweepbench.Process{Name: "MinIO", PID: bucket.PID()})
	}
	up, info := v.server(t, dir, "--slots", fmt.Sprint(o.Slots))
	servers = append(servers, sweepbench.Process{Name: "server and worker", PID: up.Process.Pid})
	database := func() int64 { return sweepbench.Size(dir, "temporal.db*") }
	empty := database()
	r := sweepbench.Result{Options: o}
	meter, err := sweepbench.StartMeter(servers...)
	if err != nil {
		t.Fatal(err)
	}
	client := v.start(t, dir, "submit", writeGrid(t, o.Grid()), "--wait")
	if err := <-client.done; err != nil { // it may take hours
		t.Fatalf("submit: %v\n%s\n%s", err, client.err.String(), up.err.String())
	}
	if err := meter.End(&r, client.ProcessState); err != nil {
		t.Fatal(err)
	}
	if r.Histories, err = sweepbench.ReadHistories(t.Context(), dialServer(t, info), info.Namespace); err != nil {
		t.Fatal(err)
	}
	r.DatabaseBytes = database() - empty
	up.terminate(t)
	r.LogBytes = sweepbench.Size(dir, "*.log", "*.log.*")
	if err := r.AddSeen(seen, o.Slots, client.Process.Pid, up.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if n := len(globbed(t, filepath.Join(dir, "store", "results", "*.json"))); o.Store == "dir" && n != o.Runs {
		t.Errorf("%d results, want %d", n, o.Runs)
	}
	return r
}

// globbed returns the files that match a pattern.
func globbed(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}
