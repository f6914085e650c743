package activities

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/storage"
)

// ErrDied says that a stage, or an evaluation, died again and again while nothing else trained in its process, and came
// to no new checkpoint. The message names each death.
var ErrDied = errors.New("died")

// errDiedHere says that a stage died again and again on one host, and that a worker of another host lives.
var errDiedHere = errors.New("it died on this host only")

// What the ends of claims say (storage.End.Fault). "" is an end that is explained.
const (
	// faultUnknown is a panic, an error that is in no table, or a broken device.
	faultUnknown = "unknown"
	// faultDied is the end of a claim that holds a verdict: the stage has failed. What died before it counts no more.
	faultDied = "died"
)

// maxDeaths is the number of deaths alone after which a stage fails.
const maxDeaths = 3

// deaths are what is known of how earlier attempts at a stage ended, as far as it speaks against the stage: those since
// the newest checkpoint of its folder, and since the last verdict on it.
//
// Example of a folder with a checkpoint of attempt 3 and then these claims:
//
//	4  by 11@a, not alone, no end       its process is gone: a death, and the stage is suspected
//	5  by 12@a, alone, no end           a death alone
//	6  by 71@b, alone, ended            explained, "the worker is stopping": no death
//	7  by 71@b, alone, ended unknown    "panic: index out of range": a death alone
//	8  by 72@b, alone, no end           a death alone, the third
//	9  by 73@b, ended "died"            the verdict: the stage fails, and the next retry counts afresh
type deaths struct {
	all  []storage.Attempt // ascending
	last *storage.Attempt  // the newest verdict, if no claim is newer; nil for none
}

// deathsOf counts the deaths among the attempts at a folder since its newest checkpoint, which are ascending. None of
// them may be alive. Claims of older versions name nobody, and say nothing of how they ended.
func deathsOf(attempts []storage.Attempt) (d deaths) {
	for _, at := range attempts {
		d.last = nil
		switch {
		case at.Ended != nil && at.Ended.Fault == faultDied:
			d.all, d.last = nil, &at
		case at.Ended != nil && at.Ended.Fault != faultUnknown, at.Holder.By == "":
		default:
			d.all = append(d.all, at)
		}
	}
	return d
}

// alone is the number of deaths while nothing else trained in the process.
func (d deaths) alone() (n int) {
	for _, at := range d.all {
		if at.Holder.Alone {
			n++
		}
	}
	return n
}

// lastAlone is the newest death alone. There must be one.
func (d deaths) lastAlone() (last storage.Attempt) {
	for _, at := range d.all {
		if at.Holder.Alone {
			last = at
		}
	}
	return last
}

// onlyOn reports whether all deaths alone were on one host.
func (d deaths) onlyOn(host string) bool {
	return !slices.ContainsFunc(d.all, func(at storage.Attempt) bool {
		return at.Holder.Alone && hostOf(at.Holder.By) != host
	})
}

// hostOf returns the host of a worker that names itself PID@HOST, or PID@HOST (BACKEND, N slots).
func hostOf(worker string) string {
	_, host, _ := strings.Cut(shortName(worker), "@")
	return host
}

// suspected says that the next attempt is to train alone.
func (d deaths) suspected() bool { return len(d.all) > 0 }

// String names each death, for people.
func (d deaths) String() string {
	var all []string
	for _, at := range d.all {
		beside := "beside others"
		if at.Holder.Alone {
			beside = "alone"
		}
		all = append(all, fmt.Sprintf("attempt %d by %s, %s: %s", at.Number, at.Holder.By, beside, howItDied(at)))
	}
	return strings.Join(all, "; ")
}

// howItDied says how an attempt ended.
func howItDied(at storage.Attempt) string {
	if at.Ended != nil {
		return at.Ended.Why
	}
	from := time.Duration(at.Renewals) * renewEvery
	return fmt.Sprintf("its process was gone without a word, %v to %v after it began", from, from+renewEvery)
}

// judge says whether earlier attempts at a stage died, so that the next one is to train alone. The error wraps ErrDied
// if too many did: then the verdict is in the store, as the end of a claim of its own. k has looked at the folder, and
// nobody trains in it. doing is what died, "training" or "evaluation".
func (a *Activities) judge(ctx context.Context, k *claiming, doing string) (suspected bool, err error) {
	c, me := k.checkpoints, k.holder
	attempts, err := c.Attempts(ctx)
	if err != nil {
		return false, err
	}
	d := deathsOf(a.sights.known(k.folder, attempts))
	if d.last != nil && d.last.Holder.Activity == me.Activity {
		// The activity ended before Temporal learned of the verdict.
		return false, fmt.Errorf("%w: %s", ErrDied, strings.TrimPrefix(d.last.Ended.Why, ErrDied.Error()+": "))
	}
	if d.alone() < maxDeaths {
		return d.suspected(), nil
	}
	// Its machine may be at fault, such as a GPU that breaks after some steps each time. One more attempt tells.
	if host := hostOf(me.By); d.onlyOn(host) && a.livesElsewhere(ctx, host) {
		return false, fmt.Errorf("%w (%d times, %s): another host is to try it: %s", errDiedHere, d.alone(), host, d)
	} else if !d.onlyOn(host) && d.onlyOn(hostOf(d.lastAlone().Holder.By)) {
		return true, nil
	}
	since := "before its first checkpoint"
	if step, ok, err := c.Newest(ctx, math.MaxInt64); err != nil {
		return false, err
	} else if ok {
		since = fmt.Sprintf("after the checkpoint of step %d", step)
	}
	verdict := fmt.Errorf("%w: its %s ended %d times without an explanation while nothing else trained in the "+
		"process, %s: %s. Look at the logs of these workers, and at their kernels' for processes killed for memory (dmesg); "+
		"a retry of the sweep trains it again", ErrDied, doing, d.alone(), since, d)
	newest := attempts[len(attempts)-1].Number
	claim, err := c.ClaimAfter(ctx, newest, storage.Holder{By: me.By, Activity: me.Activity})
	if errors.Is(err, storage.ErrExists) {
		return false, fmt.Errorf("somebody has claimed it after claim %d, which died: %w", newest, ErrElsewhere)
	}
	if err != nil {
		return false, err
	}
	if err := claim.End(ctx, storage.End{Fault: faultDied, Why: brief(verdict.Error())}); err != nil {
		return false, fmt.Errorf("note that a stage %w", err)
	}
	a.logOf(ctx).Error("a stage fails: its attempts died", "claim", claim.Attempt(), "error", verdict)
	return false, verdict
}

// livesElsewhere reports whether a worker of another host lives, as far as the server says.
func (a *Activities) livesElsewhere(ctx context.Context, host string) bool {
	live, _ := a.liveWorkers(ctx, activity.GetInfo(ctx).TaskQueue)
	return slices.ContainsFunc(live, func(worker string) bool { return hostOf(worker) != host })
}

// endOf says how an attempt that has claimed its folder ended: with an explanation, or not. What is explained is of a
// kind in the table of errors, or an error of the store or of a context, none of which says anything against the stage.
func endOf(ctx context.Context, err error, step func() int64) storage.End {
	if err == nil {
		return storage.End{Why: "done"}
	}
	why := firstLine(err.Error())
	if isExplained(ctx, err) {
		return storage.End{Why: why}
	}
	if step != nil {
		why = fmt.Sprintf("at step %d: %s", step(), why)
	}
	return storage.End{Fault: faultUnknown, Why: why}
}

// isExplained says that an error is no reason to suspect the stage in which it came up.
func isExplained(ctx context.Context, err error) bool {
	if k, ok := kindOf(err); ok {
		return k.of != ofUnknown
	}
	var store *storage.OpError
	return isInterruption(ctx, err) || errors.As(err, &store) || errors.Is(err, context.DeadlineExceeded)
}

// maxEndWhy bounds the reasons in the ends of claims, in bytes.
const maxEndWhy = 500

// firstLine is the first line of a message that is not empty, shortened.
func firstLine(message string) string {
	message, _, _ = strings.Cut(strings.TrimSpace(message), "\n")
	if len(message) > maxEndWhy {
		message = strings.ToValidUTF8(message[:maxEndWhy-len("…")], "") + "…"
	}
	return message
}
