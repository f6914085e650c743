//go:build unix

package stack_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// TestUp is not a test. up.sh runs it: it starts the stack and two workers, and keeps them
// running until it is interrupted.
func TestUp(t *testing.T) {
	if os.Getenv("SWEEP_STACK_UP") == "" {
		t.Skip("only for up.sh")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := start(t)
	workers := []*process{s.startWorker(t, "worker-0", "up"), s.startWorker(t, "worker-1", "up")}
	fmt.Println("\nThe stack is up, with two workers; logs in " + s.dir + ". In another terminal:")
	for _, e := range append(s.s3(), "TEMPORAL_ADDRESS="+s.temporal.address) {
		fmt.Println("  export " + e)
	}
	fmt.Println("  " + s.bin.worker + " submit grid.yaml --wait --store " + url("up"))
	<-ctx.Done()
	for _, w := range workers {
		w.stop(t)
	}
}
