package observe

import (
	"slices"
	"strings"
	"testing"
	"time"

	taskqueue "go.temporal.io/api/taskqueue/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/topksweep/sweep/sweep/protocol"
)

// Workers are compared with each other by the server's clock. Those of other backends do not count for a training
// queue, and those that do not say theirs count for each.
func TestAlive(t *testing.T) {
	now := time.Unix(1e9, 0) // of the server
	poller := func(identity string, ago time.Duration) *taskqueue.PollerInfo {
		return &taskqueue.PollerInfo{Identity: identity, LastAccessTime: timestamppb.New(now.Add(-ago))}
	}
	fresh, idle, dead := Identity(1, "a", "cpu", 1), Identity(2, "b", "cpu", 2), Identity(3, "c", "cpu", 1)
	gpu, spent, old := Identity(4, "d", "cuda", 8), Identity(5, "e", "none", 1), "6@f@sweep"
	pollers := []*taskqueue.PollerInfo{
		poller(gpu, 0), poller(idle, goneAfter-time.Second), poller(fresh, time.Second), poller(fresh, 0),
		poller(dead, goneAfter), poller(spent, 0), poller(old, time.Second),
	}
	for queue, want := range map[string][]string{
		protocol.TrainQueue("cpu"):  {fresh, idle, old},
		protocol.TrainQueue("cuda"): {gpu, old},
		protocol.Queue:              {fresh, idle, gpu, spent, old},
	} {
		if got := alive(pollers, queue); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", queue, got, want)
		}
	}
	if got := alive(nil, protocol.Queue); len(got) != 0 {
		t.Errorf("of nobody: %q", got)
	}
}

// The short error of an activity that was refused says so, however long the reason is.
func TestShortRefusal(t *testing.T) {
	for _, by := range []string{"refused by 4711@gpu-7", "refused by every live worker (2)"} {
		message := by + ": open the data: " + strings.Repeat("x", 300) + ": the cause; waits for another worker"
		got := shortCause(message)
		if len(got) > maxError || !strings.HasPrefix(got, by+": … ") || !strings.HasSuffix(got, "waits for another worker") {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	}
	for _, message := range []string{
		"refused by " + strings.Repeat("x", 300) + ": no", "refused by x", "refused by x: no",
	} {
		if got := shortCause(message); len(got) > maxError || got == "" {
			t.Errorf("%q became %q", message, got)
		}
	}
	if got := shortCause("refused by x: no"); got != "refused by x: no" {
		t.Errorf("%q", got)
	}
}
