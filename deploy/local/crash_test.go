//go:build !noserver

package local

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const (
	crashSteps  = 400 // activities of the workflow
	crashWindow = 10  // activities that run at the same time

	// killEnv is an environment variable of the child: after how many activities the
	// parent kills it. The child goes on until the kill arrives, but for at most killSlack
	// activities, so that it cannot finish before.
	killEnv   = "SWEEP_LOCAL_TEST_KILL_AFTER"
	killSlack = 30
)

// TestKilledServerGoesOn kills a process with server and worker several times, and checks
// that the workflow has the right result nevertheless.
func TestKilledServerGoesOn(t *testing.T) {
	dir := t.TempDir()
	for _, after := range []int{0, 1, 20, 40, 60} {
		out := runChild(t, dir, after)
		if !strings.HasSuffix(out, "kill\n") {
			t.Fatalf("the child to be killed after %d activities wrote\n%s", after, out)
		}
		if info, ok, err := Running(dir); ok || err != nil {
			t.Fatalf("after the kill: Running = %+v, %v, %v", info, ok, err)
		}
	}
	var want uint64
	for i := range crashSteps {
		want = fold(want, crashActivity(i))
	}
	out := runChild(t, dir, -1)
	if !strings.HasSuffix(out, fmt.Sprintf("result %d\n", want)) {
		t.Errorf("the last child wrote\n%s\nwant result %d", out, want)
	}
	if got := query(t, filepath.Join(dir, dbName), "PRAGMA integrity_check"); got != "ok" {
		t.Errorf("integrity check: %s", got)
	}
}

// runChild runs a child and returns what it wrote to standard output. If after is not
// negative, it kills the child when that has done so many activities.
func runChild(t *testing.T, dir string, after int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir, killEnv+"="+strconv.Itoa(after))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		fmt.Fprintln(&out, lines.Text())
		if lines.Text() == "kill" {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			break
		}
	}
	if err := cmd.Wait(); err != nil && after < 0 {
		t.Error(err)
	}
	if stderr.Len() > 0 { // the server must not write to a user's terminal
		t.Errorf("child wrote to stderr:\n%s", stderr.String())
	}
	return out.String()
}

// fold adds a result to a sum that depends on the order of the results.
func fold(sum, x uint64) uint64 { return sum*31 + x }

func crashActivity(i int) uint64 { return uint64(i) * uint64(i) }

// crashWorkflow runs crashSteps activities and folds their results.
func crashWorkflow(ctx workflow.Context) (sum uint64, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 2 * time.Second, // then an activity whose worker was killed is repeated
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 10 * time.Millisecond, BackoffCoefficient: 1},
	})
	var window []workflow.Future
	next := 0
	for next < crashSteps || len(window) > 0 {
		for ; next < crashSteps && len(window) < crashWindow; next++ {
			window = append(window, workflow.ExecuteActivity(ctx, "step", next))
		}
		var x uint64
		if err := window[0].Get(ctx, &x); err != nil {
			return 0, err
		}
		sum, window = fold(sum, x), window[1:]
	}
	return sum, nil
}

// child runs server, worker and client in one process, as a sweep does. It returns the
// exit status.
func child(dir string) int {
	if err := runSum(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// runSum runs crashWorkflow to its end on the state in dir, and prints its result.
func runSum(dir string) (err error) {
	after, err := strconv.Atoi(os.Getenv(killEnv))
	if err != nil {
		return err
	}
	ctx := context.Background()
	s, err := Start(ctx, Options{Dir: dir, GRPCPort: -1, UIPort: -1})
	if err != nil {
		return err
	}
	if after == 0 {
		fmt.Println("kill")
	}
	c, err := client.DialContext(ctx, client.Options{
		HostPort: s.HostPort, Logger: silent(), ConnectionOptions: client.ConnectionOptions{TLS: s.TLS},
	})
	if err != nil {
		return err
	}
	worker.SetStickyWorkflowCacheSize(0) // else the server waits for the cache of the killed worker
	w := worker.New(c, "crash", worker.Options{})
	w.RegisterWorkflowWithOptions(crashWorkflow, workflow.RegisterOptions{Name: "sum"})
	var done atomic.Int64
	w.RegisterActivityWithOptions(func(ctx context.Context, i int) (uint64, error) {
		n := int(done.Add(1))
		if n == after {
			fmt.Println("kill")
		}
		if after >= 0 && n > after+killSlack {
			<-ctx.Done()
		}
		return crashActivity(i), ctx.Err()
	}, activity.RegisterOptions{Name: "step"})
	if err := w.Start(); err != nil {
		return err
	}
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: "sum", TaskQueue: "crash", WorkflowTaskTimeout: time.Second,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, // wait for the one that runs
	}, "sum")
	if err != nil {
		return err
	}
	var sum uint64
	if err := run.Get(ctx, &sum); err != nil {
		return err
	}
	w.Stop()
	c.Close()
	if err := s.Stop(); err != nil {
		return err
	}
	fmt.Println("result", sum)
	return nil
}
