package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/trainer/models"
)

// findRuns reads the results of the sweep that arg names, or of the sweep that has the run arg, and the numbers of
// those that are chosen: that run, or what by chooses of the sweep. Of a run that no plan has any more there is its
// result alone. Where there is neither, the error is an inputError about a *ledger.UnknownSweepError.
func findRuns(
	ctx context.Context, env *environment, l *ledger.Ledger, by *selectionOptions, arg string,
) (report.Rows, []int, error) {
	fail := func(err error) (report.Rows, []int, error) { return report.Rows{}, nil, err }
	header, err := findSweep(ctx, l, arg)
	unknown := (*ledger.UnknownSweepError)(nil)
	isRun := errors.As(err, &unknown)
	run := ""
	if isRun {
		if by.given() {
			return fail(inputError{fmt.Errorf("%w: %s chooses cells of a sweep", unknown, by)})
		}
		header, run, err = findRun(ctx, l, strings.ToLower(arg), unknown)
	}
	if err == nil && !isRun {
		err = noteRunToo(ctx, env, l, arg, header)
	}
	if err != nil {
		return fail(err)
	}
	if header == nil {
		r, err := l.Result(ctx, run)
		r.Run = run
		return report.Rows{Results: []ledger.Result{r}}, []int{0}, err
	}
	results, err := l.Results(ctx, header)
	if err == nil {
		err = l.CountAuxK(ctx, results)
	}
	if err != nil {
		return fail(err)
	}
	rows := report.Rows{Plan: header, Results: results}
	var chosen []int
	switch {
	case isRun:
		chosen = []int{slices.IndexFunc(results, func(r ledger.Result) bool { return r.Run == run })}
	case by.given():
		if chosen, err = by.match(header, results); err != nil {
			return fail(err)
		}
	default:
		for i := range results {
			chosen = append(chosen, i)
		}
	}
	return rows, chosen, nil
}

// noteRunToo notes that a text which stands for a sweep, whose ID begins so, is also the beginning of a run's ID.
func noteRunToo(ctx context.Context, env *environment, l *ledger.Ledger, arg string, header *plan.Header) error {
	if arg == header.ID || arg == header.Name || !runID.MatchString(strings.ToLower(arg)) {
		return nil
	}
	ids, err := l.SweepIDs(ctx)
	if err != nil {
		return err
	}
	_, run, err := findRun(ctx, l, strings.ToLower(arg), &ledger.UnknownSweepError{Want: arg, Known: ids})
	if err != nil {
		return nil // there is no such run
	}
	env.note(fmt.Sprintf("%s is taken for sweep %s; for run %s give more of its ID", arg, header.ID, run))
	return nil
}

// runID matches the IDs of runs and their beginnings.
var runID = regexp.MustCompile(`^[0-9a-f]{4,20}(-[0-9a-f]{0,8})?$`)

// findRun finds the run whose ID is want, or begins so, and the newest plan that has it. The plan is nil where only its
// result is left. unknown is the error for a sweep of that name.
func findRun(
	ctx context.Context, l *ledger.Ledger, want string, unknown *ledger.UnknownSweepError,
) (*plan.Header, string, error) {
	if !runID.MatchString(want) {
		return nil, "", inputError{fmt.Errorf("%w, and %q is no ID of a run, nor 4 or more characters of its beginning",
			unknown, want)}
	}
	found := map[string]*plan.Header{}
	for _, id := range unknown.Known {
		p, err := l.Plan(ctx, id)
		if errors.Is(err, storage.ErrCorrupt) || errors.Is(err, storage.ErrNotFound) {
			continue // another plan may have the run, or its result is there
		}
		if err != nil {
			return nil, "", err
		}
		for _, c := range p.Cells {
			run := p.RunID(c.ID)
			if _, known := found[run]; !known && strings.HasPrefix(run, want) {
				found[run] = &p.Header
			}
		}
	}
	completed, err := l.CompletedRuns(ctx)
	if err != nil {
		return nil, "", err
	}
	for run := range completed {
		if _, known := found[run]; !known && strings.HasPrefix(run, want) {
			found[run] = nil
		}
	}
	var ids []string
	for run := range found {
		if run == want {
			return found[run], run, nil
		}
		ids = append(ids, run)
	}
	slices.Sort(ids)
	switch {
	case len(ids) == 0:
		return nil, "", inputError{fmt.Errorf("%w, and no run whose ID begins so", unknown)}
	case len(ids) > 1:
		return nil, "", inputError{fmt.Errorf("%s: the IDs of %d runs begin so, as %s and %s: give more of the ID",
			want, len(ids), ids[0], ids[1])}
	}
	return found[ids[0]], ids[0], nil
}

// readRunModel reads a run's model in the store. from says which tool and file; folder has the model's other files too.
func readRunModel(
	ctx context.Context, l *ledger.Ledger, run string,
) (m *models.Model, from string, folder fs.FS, err error) {
	folder, err = l.ModelFS(ctx, run)
	if errors.Is(err, storage.ErrNotFound) {
		err = errors.New("its model is not in the store")
	}
	if err != nil {
		return nil, "", nil, err
	}
	if m, from, err = models.Read(folder); err == nil {
		err = models.Agree(folder, m)
	}
	if err != nil {
		return nil, "", nil, fmt.Errorf("its model in the store: %w", err)
	}
	return m, from, folder, nil
}
