package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/trainer"
)

// noteOlderSweeps names the unfinished sweeps of the same name that were planned under
// earlier training semantics: their results are not reused. It says nothing of sweeps that cannot be read: list does.
func noteOlderSweeps(ctx context.Context, env *environment, l *ledger.Ledger, name string) error {
	ids, err := l.SweepIDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if id[:max(0, strings.LastIndex(id, "-"))] != name {
			continue
		}
		h, err := l.Header(ctx, id)
		if err != nil || h.SemanticsVersion() == trainer.SemanticsVersion {
			continue
		}
		if left, err := l.Unfinished(ctx, h); err == nil && left > 0 {
			fmt.Fprintf(env.errOut, "note: sweep %s of an earlier version has %d of %d runs without results. Its "+
				"results follow other definitions and are not reused; %s ends it\n",
				id, left, h.CellCount, env.command("cancel", id))
		}
	}
	return nil
}
