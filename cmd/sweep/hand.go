package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
)

// handing is what the verbs have in common that hand work to a running server:
// submit, extend, retry.
type handing struct {
	place
	connection
	out   outputFlags
	wait  bool
	meant string // backend of the workers
}

func (h *handing) flags(f *pflag.FlagSet) {
	h.place.flags(f)
	h.connection.flags(f)
	h.out.flags(f)
	f.BoolVar(&h.wait, "wait", false, "follow the sweep and print its results")
	f.StringVar(&h.meant, "backend", "auto", "what the workers train on: auto, cpu or cuda; auto is what this machine has")
}

// handed ends such a verb: with the sweep's results, or its ID.
func (a *app) handed(ctx context.Context, c client.Client, store storage.Store, header *plan.Header, h *handing) error {
	if h.wait {
		return a.finish(ctx, c, store, header, h.out, alwaysThere)
	}
	fmt.Fprintln(a.out, header.ID)
	return nil
}
