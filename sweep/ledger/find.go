package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/spelling"
)

// mostShown is the number of sweeps that an error names.
const mostShown = 10

// An UnknownSweepError says that a store has no sweep of an ID or a name, or whose ID begins so.
type UnknownSweepError struct {
	Want  string
	Known []string // IDs of the sweeps that the store has, the newest first
}

func (e *UnknownSweepError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("sweep %q: this store holds no sweeps", e.Want)
	}
	if near := nearestSweep(e.Want, e.Known); near != "" {
		return fmt.Sprintf("sweep %q is not in this store; did you mean %s?", e.Want, near)
	}
	return fmt.Sprintf("sweep %q is not in this store; it has %s", e.Want, shortList(e.Known))
}

// nearestSweep returns the name or the ID of which want is most likely a misspelling, or "".
func nearestSweep(want string, ids []string) string {
	var known []string
	for _, id := range ids {
		known = append(known, nameOf(id), id)
	}
	// Names keep their capitals, and people forget them.
	lower := make([]string, len(known))
	for i, k := range known {
		lower[i] = strings.ToLower(k)
		if spelling.Simplify(k) == spelling.Simplify(want) && want != "" {
			return k
		}
	}
	if i := slices.Index(lower, spelling.Nearest(want, lower)); i >= 0 {
		return known[i]
	}
	return ""
}

// shortList lists some IDs, and says how many more there are.
func shortList(ids []string) string {
	shown := strings.Join(ids[:min(len(ids), mostShown)], ", ")
	if more := len(ids) - mostShown; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	return shown
}

// An AmbiguousSweepError says that a text stands for several sweeps.
type AmbiguousSweepError struct {
	Want string
	IDs  []string // the newest first
}

func (e *AmbiguousSweepError) Error() string {
	return fmt.Sprintf("sweep %q: the IDs of %d sweeps begin so: %s; give more of one",
		e.Want, len(e.IDs), shortList(e.IDs))
}

// nameOf returns the name of a sweep: its ID is that with a hash behind it.
func nameOf(id string) string { return id[:max(0, strings.LastIndex(id, "-"))] }

// Match lists the IDs of the sweeps that a text stands for, the one that was created last first. That is the sweep of
// this ID, else those of this name, else those whose IDs begin so. The error is an *UnknownSweepError if there is none.
func (l *Ledger) Match(ctx context.Context, want string) ([]string, error) {
	ids, err := l.SweepIDs(ctx)
	if err != nil {
		return nil, err
	}
	return match(ids, want)
}

func match(ids []string, want string) ([]string, error) {
	for _, means := range []func(id string) bool{
		func(id string) bool { return id == want },
		func(id string) bool { return want != "" && nameOf(id) == want },
		func(id string) bool { return want != "" && strings.HasPrefix(id, want) },
	} {
		found := slices.Clone(ids)
		if found = slices.DeleteFunc(found, func(id string) bool { return !means(id) }); len(found) > 0 {
			return found, nil
		}
	}
	return nil, &UnknownSweepError{want, ids}
}

// Find reads the plan header of a sweep given by its ID, its name, or the beginning of one of them; of several with one
// name it is the newest. The error is an *UnknownSweepError if there is none, and an *AmbiguousSweepError if sweeps of
// several names begin so, or several of one name whose IDs do.
func (l *Ledger) Find(ctx context.Context, want string) (*plan.Header, error) {
	ids, err := l.Match(ctx, want)
	if err != nil {
		return nil, err
	}
	ofOneName := func(id string) bool { return nameOf(id) == nameOf(ids[0]) && len(want) <= len(nameOf(id)) }
	if len(ids) > 1 && slices.ContainsFunc(ids, func(id string) bool { return !ofOneName(id) }) {
		return nil, &AmbiguousSweepError{want, ids}
	}
	return l.Header(ctx, ids[0])
}
