package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"go.temporal.io/api/enums/v1"

	look "github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/protocol"
)

// Workers name their process, host, backend and slots to the server, on both queues.
func TestWorkersNameThemselves(t *testing.T) {
	dir := t.TempDir()
	up, info := startServer(t, dir, "--slots", "3")
	c := dialServer(t, info)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, queue := range []string{protocol.Queue, protocol.TrainQueue("cpu")} {
		var identity string
		waitFor(t, "a worker that polls "+queue, func() bool {
			d, err := c.DescribeTaskQueue(t.Context(), queue, enums.TASK_QUEUE_TYPE_ACTIVITY)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range d.Pollers {
				identity = p.Identity
			}
			return identity != ""
		})
		h, backend, slots, ok := look.ParseIdentity(identity)
		if h != host || backend != "cpu" || slots != 3 || !ok ||
			!strings.HasPrefix(identity, fmt.Sprintf("%d@", up.Process.Pid)) {
			t.Errorf("%s: a worker names itself %q", queue, identity)
		}
	}
}
