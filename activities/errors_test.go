package activities

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/activities/hostmem"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

// Each class of errors reaches Temporal under its name, and with what to do about it.
func TestErrorTable(t *testing.T) {
	refused := errors.New("dial tcp 10.0.0.1:9000: connection refused")
	noSpace := storage.Wrap("put", "x", storage.ErrNoSpace)
	fenced := storage.Wrap("write", "stages/x", storage.ErrFenced)
	eio := &data.ReadError{File: "acts/a.npy", Offset: 4096, Err: syscall.EIO}
	seen := map[string]bool{}
	for _, c := range []struct {
		err   error
		name  string
		retry bool
		after time.Duration
	}{
		{ErrStopping, "WorkerStopping", true, time.Second},
		{fmt.Errorf("%w; %w", ErrStopping, noSpace), "WorkerStopping", true, time.Second},
		{fmt.Errorf("%w for 10m0s while training; %w", ErrStuck, noSpace), "Stuck", true, 10 * time.Second},
		{activity.ErrActivityPaused, "Paused", true, 0},
		{fmt.Errorf("%w; %w", activity.ErrActivityPaused, noSpace), "Paused", true, 0},
		{fmt.Errorf("%w; %w", activity.ErrActivityPaused, fenced), "Paused", true, 0},
		{activity.ErrActivityReset, "Reset", true, time.Second},
		{fmt.Errorf("checkpoint: %w", fenced), "Fenced", true, 5 * time.Second},
		{fmt.Errorf("waiting for 7@a: %w", ErrElsewhere), "HeldElsewhere", true, 5 * time.Second},
		{ErrSteppedAside, "SteppedAside", true, 5 * time.Second},
		{fmt.Errorf("%w; %w", ErrSteppedAside, noSpace), "SteppedAside", true, 5 * time.Second},
		{fmt.Errorf("%w; no", ErrAloneHere), "AloneHere", true, 5 * time.Second},
		{fmt.Errorf("%w: three times", ErrDied), "Died", false, 0},
		{fmt.Errorf("%w: three times", errDiedHere), "DiedHere", true, refuseFor},
		{fmt.Errorf("%w: k: 0 is below 1", ErrConfig), "BadConfig", false, 0},
		{storage.Mark(fmt.Errorf("%w: no such cell", ErrConfig), errOtherPlan), "BadConfig", true, refuseFor},
		{fmt.Errorf("%w of x: %w", ErrNoPlan, storage.Wrap("get", "x", storage.ErrNotFound)), "NoPlan", true, refuseFor},
		{fmt.Errorf("%w: no", ErrDataChanged), "DataChanged", true, refuseFor},
		{fmt.Errorf("checkpoint: %w", data.ErrTouched), "DataTouched", true, time.Second},
		{fmt.Errorf("%w (%w)", data.ErrTouched, &data.SourceError{Msg: "cut short"}), "DataTouched", true, time.Second},
		{&data.SourceError{Msg: "no shards"}, "BadData", false, 0},
		{storage.Mark(&data.SourceError{Msg: "no shards"}, errOtherData), "BadData", true, refuseFor},
		{&data.SourceError{Source: "acts", Missing: true, Err: fs.ErrPermission}, "BadData", true, refuseFor},
		{errors.Join(&data.SourceError{Msg: "no shards"}, refused), "BadData", false, 0},
		{fmt.Errorf("read training rows: %w", eio), "ReadFailed", true, 10 * time.Second},
		{errors.Join(&data.SourceError{Msg: "no shards"}, eio), "ReadFailed", true, 10 * time.Second},
		{fmt.Errorf("x: %w", &trainer.NumericError{Step: 3, What: "the loss is NaN"}), "NotFinite", false, 0},
		{fmt.Errorf("start on cpu: %w: precision bf16", trainer.ErrUnsupported), "Unsupported", true, refuseFor},
		{fmt.Errorf("start on cuda: %w: 80 GB", trainer.ErrMemory), "OutOfMemory", true, refuseFor},
		{fmt.Errorf("start on cuda: %w: want sm_90", trainer.ErrOtherClass), "OtherClass", true, refuseFor},
		{fmt.Errorf("start on cuda: %w: Xid 48", trainer.ErrBroken), "DeviceBroken", true, refuseFor},
		{fmt.Errorf("%w: 8 GiB", hostmem.ErrBusy), "MemoryBusy", true, 30 * time.Second},
		{fmt.Errorf("%w: 8 GiB", trainer.ErrBusy), "MemoryBusy", true, 30 * time.Second},
		{fmt.Errorf("%w: %w", ErrLost, storage.ErrNotFound), protocol.ErrTypeLost, false, 0},
		{storage.Wrap("read", "x", storage.ErrNewerVersion), "NewerVersion", true, refuseFor},
		{fmt.Errorf("decode: %w", trainer.ErrFormat), "CheckpointFormat", true, refuseFor},
		{noSpace, "NoSpace", true, time.Minute},
		{storage.Wrap("put", "x", storage.ErrReadOnly), "ReadOnly", true, time.Minute},
		{storage.Wrap("put", "x", fs.ErrPermission), "NoPermission", true, refuseFor},
		{storage.Wrap("get", "x", refused), "StoreFailed", true, 0},
		{storage.Wrap("get", "x", storage.ErrCorrupt), "StoreFailed", true, 0},
		{storage.Wrap("get", "plan", storage.ErrNotFound), "StoreFailed", true, 0},
		{storage.Wrap("get", "x", context.DeadlineExceeded), "StoreFailed", true, 0},
	} {
		seen[c.name] = true
		var app *temporal.ApplicationError
		got := outcome(t.Context(), c.err)
		if !errors.As(got, &app) {
			t.Errorf("%v became %#v", c.err, got)
			continue
		}
		if app.Type() != c.name || app.NonRetryable() == c.retry || app.NextRetryDelay() != c.after {
			t.Errorf("%v became %#v", c.err, app)
		}
		benign := app.Category() == temporal.ApplicationErrorCategoryBenign
		if benign != (c.name == "Paused" || c.name == "Reset") {
			t.Errorf("%v has the category %v", c.err, app.Category())
		}
		if app.Message() != c.err.Error() {
			t.Errorf("%v became %q", c.err, app.Message())
		}
	}
	for _, row := range errorKinds() {
		if !seen[row.name] {
			t.Errorf("no case for %s", row.name)
		}
	}

	// Whatever is not in the table is tried again.
	for _, err := range []error{
		refused,
		context.Canceled,
		context.DeadlineExceeded,
	} {
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

// An error that only says that the context has ended is told as what ended it.
func TestInterruptions(t *testing.T) {
	bare := storage.Wrap("get", "x", context.Canceled)
	other := errors.New("connection refused")
	for _, c := range []struct {
		cause error
		name  string
	}{
		{activity.ErrActivityPaused, "Paused"},
		{activity.ErrActivityReset, "Reset"},
		{ErrStopping, "WorkerStopping"},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if got := outcome(ctx, bare); got != bare {
			t.Errorf("before the end: %v became %v", bare, got)
		}
		cancel(c.cause)
		for _, err := range []error{bare, context.Canceled, storage.Wrap("get", "x", c.cause)} {
			wantType(t, outcome(ctx, err), c.name, true)
		}
		if got := outcome(ctx, other); got != other {
			t.Errorf("%v became %v", other, got)
		}
		wantType(t, outcome(ctx, fmt.Errorf("%w; %w", ErrLost, bare)), protocol.ErrTypeLost, false)
	}
}

// The middle of a long message is left out before it goes into a history, and its cause stays.
func TestLongMessages(t *testing.T) {
	err := &data.SourceError{Msg: strings.Repeat("é shard 17 is truncated; ", 1e5) + "the cause"}
	var app *temporal.ApplicationError
	if !errors.As(outcome(t.Context(), err), &app) {
		t.Fatal(err)
	}
	m := app.Message()
	if len(m) > maxMessage+8 || !utf8.ValidString(m) || !strings.HasPrefix(m, "data: é shard") ||
		!strings.HasSuffix(m, "the cause") {
		t.Errorf("a message of %d bytes: %.100s", len(m), m)
	}
}
