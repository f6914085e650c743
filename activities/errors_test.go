package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/activities/hostmem"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

func TestErrorTable(t *testing.T) {
	refused := errors.New("dial tcp 10.0.0.1:9000: connection refused")
	seen := map[string]bool{}
	for _, c := range []struct {
		err   error
		name  string
		retry bool
		after time.Duration
	}{
		{ErrStopping, "WorkerStopping", true, time.Second},
		{fmt.Errorf("%w; %w", ErrStopping, storage.Wrap("put", "x", storage.ErrNoSpace)), "WorkerStopping", true, time.Second},
		{fmt.Errorf("checkpoint: %w", storage.Wrap("write", "stages/x", storage.ErrFenced)), "Fenced", true, 5 * time.Minute},
		{fmt.Errorf("%w: k: 0 is below 1", ErrConfig), "BadConfig", false, 0},
		{fmt.Errorf("%w: no", ErrDataChanged), "DataChanged", false, 0},
		{&data.SourceError{Msg: "no shards"}, "BadData", false, 0},
		{errors.Join(&data.SourceError{Msg: "no shards"}, refused), "BadData", false, 0},
		{fmt.Errorf("x: %w", &trainer.NumericError{Step: 3, What: "the loss is NaN"}), "NotFinite", false, 0},
		{fmt.Errorf("start on cpu: %w: precision bf16", trainer.ErrUnsupported), "Unsupported", false, 0},
		{fmt.Errorf("start on cuda: %w: 80 GB", trainer.ErrMemory), "OutOfMemory", false, 0},
		{fmt.Errorf("%w: 8 GiB", hostmem.ErrBusy), "MemoryBusy", true, 30 * time.Second},
		{fmt.Errorf("%w: %w", ErrLost, storage.ErrNotFound), protocol.ErrTypeLost, false, 0},
		{storage.Wrap("read", "x", storage.ErrNewerVersion), "NewerVersion", false, 0},
		{fmt.Errorf("decode: %w", trainer.ErrFormat), "CheckpointFormat", false, 0},
		{storage.Wrap("put", "x", storage.ErrNoSpace), "NoSpace", true, time.Minute},
	} {
		seen[c.name] = true
		var app *temporal.ApplicationError
		if got := outcome(t.Context(), c.err); !errors.As(got, &app) || app.Type() != c.name ||
			app.NonRetryable() == c.retry ||
			app.NextRetryDelay() != c.after {
			t.Errorf("%v became %#v", c.err, got)
		} else if app.Message() != c.err.Error() {
			t.Errorf("%v became %q", c.err, app.Message())
		}
	}
	for _, row := range errorClasses() {
		if !seen[row.name] {
			t.Errorf("no case for %s", row.name)
		}
	}

	// Whatever is not in the table is tried again.
	for _, err := range []error{refused, storage.Wrap("get", "x", storage.ErrCorrupt), storage.Wrap("get", "plan", storage.ErrNotFound), context.Canceled, context.DeadlineExceeded} {
		if got := outcome(t.Context(), err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
	if outcome(t.Context(), nil) != nil {
		t.Error("no error became one")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := outcome(ctx, storage.Wrap("get", "x", ctx.Err())); got != context.Canceled {
		t.Errorf("canceled became %v", got)
	}
}

func TestLongMessages(t *testing.T) {
	var app *temporal.ApplicationError
	err := &data.SourceError{Msg: strings.Repeat("é shard 17 is truncated; ", 1e5)}
	if !errors.As(outcome(t.Context(), err), &app) || len(app.Message()) > maxMessage+8 ||
		!strings.HasSuffix(app.Message(), "…") {
		t.Errorf("a message of %d bytes", len(app.Message()))
	}
}
