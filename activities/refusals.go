package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/protocol"
)

// A worker refuses an activity where the fault is its own: its data, its store, its build or its device. The
// activity is tried again after refuseFor, by whoever takes it. Heartbeats carry the refusals from attempt to
// attempt, so that each attempt knows which workers have refused. When every worker that lives has refused, for the
// time of patience, the error is final.
const (
	refuseFor    = 10 * time.Second
	liveWithin   = 10 * time.Second // for the question which workers live
	planPatience = 2 * time.Minute  // patience with a plan that is missing, of the activities that only use the store
	maxRefusals  = 64               // that a heartbeat carries
	maxWhy       = 300              // bytes of one of them
	minTries     = 3                // of an activity, before an error that is not listed is final
)

// unexplained is the kind of an error that is not listed.
var unexplained = errorKind{name: "Unexplained", of: ofUnknown, after: refuseFor}

// settle returns the error of an attempt as Temporal is to act on it.
func (a *Activities) settle(ctx context.Context, at *attempt, err error) error {
	k, why, listed := resolve(ctx, err)
	switch {
	case !listed && isInterruption(ctx, err):
		return ctx.Err() // the activity was canceled: the SDK says so to the server
	case !listed && at.isClaimed():
		a.metrics.failed(unexplained)
		return err // not known whose fault it is
	case !listed:
		k = unexplained
	}
	a.metrics.failed(k)
	if k.of == ofWorker || k.of == ofUnknown && !at.isClaimed() {
		return a.refuse(ctx, at, k, why)
	}
	return k.application(why)
}

// refuse notes that this worker cannot do the activity, and says whether another one can.
func (a *Activities) refuse(ctx context.Context, at *attempt, k errorKind, err error) error {
	info := activity.GetInfo(ctx)
	live, sure := a.liveWorkers(ctx, info.TaskQueue)
	beat := at.heartbeat()
	beat.Refusals = withRefusal(beat.Refusals, live, protocol.Refusal{
		Worker: a.Worker, Why: shorten(err.Error(), maxWhy), Since: a.now().UTC(),
	})
	// The context may have ended, and with it the SDK's way to the server.
	activity.RecordHeartbeat(context.WithoutCancel(ctx), beat)
	all := sure && haveRefused(beat.Refusals, live)
	lasts, patience := a.refused.since(info, all, a.now()), a.Patience
	switch {
	case k.lacks && a.OneMachine:
		patience = 0
	case !errors.Is(err, ErrNoPlan):
	case info.TaskQueue == protocol.Queue:
		patience = planPatience
	default:
		patience = max(patience, planPatience)
	}
	final := all && !k.mends && lasts >= patience && (k.of == ofWorker || info.Attempt >= minTries)
	// Where no worker can do it, this one is no worse than the others. A plan that no worker can prepare may have been
	// stored elsewhere by the one who submitted it.
	own := !all && !(errors.Is(err, ErrNoPlan) && info.ActivityType.Name == protocol.ActivityPrepare)
	if own && !k.lacks && a.refused.add(info.TaskQueue) >= mostRefusals {
		a.TakeNoMore(fmt.Errorf("it refused %d activities in a row, the last one because: %w; "+
			"mend that, and start it again", mostRefusals, err))
	}
	a.logOf(ctx).Warn("refused", "by_all", all, "final", final,
		"error", err)
	o := temporal.ApplicationErrorOptions{NonRetryable: final, NextRetryDelay: a.handOn}
	if final {
		o.NextRetryDelay = 0
	}
	message := brief(refusalMessage(err, beat.Refusals, live, a.Worker, all, final))
	return temporal.NewApplicationErrorWithOptions(message, k.name, o)
}

// liveWorkers lists the workers that live and may take the activities of a queue. sure is false where the server does
// not say, or not of this worker itself. Without an Observer there is no other worker.
func (a *Activities) liveWorkers(ctx context.Context, queue string) (live []string, sure bool) {
	if a.Observer == nil {
		return []string{a.Worker}, true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), liveWithin)
	defer cancel()
	live, err := a.Observer.Workers(ctx, queue)
	if err != nil {
		a.logOf(ctx).Warn("which workers live is not known", "queue", queue, "error", err)
	}
	return live, err == nil && slices.Contains(live, a.Worker)
}

// withRefusal adds a refusal to those of the attempts before, oldest first. A worker has one: its latest, since its
// first. Where there are too many, those of workers that are gone are left out first.
func withRefusal(before []protocol.Refusal, live []string, r protocol.Refusal) []protocol.Refusal {
	all := slices.Clone(before)
	if i := slices.IndexFunc(all, func(b protocol.Refusal) bool { return b.Worker == r.Worker }); i >= 0 {
		r.Since = all[i].Since
		all[i] = r
		return all
	}
	all = append(all, r)
	for len(all) > maxRefusals {
		gone := slices.IndexFunc(all, func(r protocol.Refusal) bool { return !slices.Contains(live, r.Worker) })
		all = slices.Delete(all, max(gone, 0), max(gone, 0)+1)
	}
	return all
}

// haveRefused reports whether every live worker has refused.
func haveRefused(refusals []protocol.Refusal, live []string) bool {
	return !slices.ContainsFunc(live, func(w string) bool {
		return !slices.ContainsFunc(refusals, func(r protocol.Refusal) bool { return r.Worker == w })
	})
}

// refusalMessage says for people who has refused an activity, why, and what it waits for.
func refusalMessage(err error, refusals []protocol.Refusal, live []string, own string, all, final bool) string {
	if len(refusals) == 1 && final {
		return err.Error() // of one machine: the reason is enough
	}
	if !all {
		return fmt.Sprintf("refused by %s: %v; waits for another worker", shortName(own), err)
	}
	var reasons []string
	for _, r := range refusals {
		if !slices.Contains(live, r.Worker) {
			continue
		}
		why := r.Why
		if r.Worker == own {
			why = err.Error()
		}
		reasons = append(reasons, shortName(r.Worker)+": "+why)
	}
	message := fmt.Sprintf("refused by every live worker (%d): %s", len(reasons), strings.Join(reasons, "; "))
	if !final {
		message += "; waits for another worker"
	}
	return message
}

// shortName returns PID@HOST of a worker that names itself PID@HOST (BACKEND, N slots), and other names as they are.
func shortName(worker string) string {
	if i := strings.LastIndex(worker, " ("); i > 0 {
		return worker[:i]
	}
	if worker == "" {
		return "this worker"
	}
	return worker
}

// shorten returns a message in one line of at most so many bytes, without its middle if it is longer.
func shorten(message string, most int) string {
	message = strings.ToValidUTF8(strings.Join(strings.Fields(message), " "), "\uFFFD")
	if len(message) <= most {
		return message
	}
	const cut = " … "
	half := (most - len(cut)) / 2
	return strings.ToValidUTF8(message[:half], "") + cut + strings.ToValidUTF8(message[len(message)-half:], "")
}
