//go:build !noserver

package local

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	persistencespb "go.temporal.io/server/api/persistence/v1"
)

const (
	keyword = enums.INDEXED_VALUE_TYPE_KEYWORD
	integer = enums.INDEXED_VALUE_TYPE_INT
)

func TestConfigure(t *testing.T) {
	set := func(ns *persistencespb.NamespaceDetail, attrs map[string]enums.IndexedValueType) (bool, []error) {
		return configure(ns, Options{Retention: time.Hour, SearchAttributes: attrs})
	}
	configured := func() *persistencespb.NamespaceDetail {
		ns := &persistencespb.NamespaceDetail{Config: &persistencespb.NamespaceConfig{}}
		changed, leftOut := set(ns, map[string]enums.IndexedValueType{"Cells": integer, "Grid": keyword})
		if !changed || len(leftOut) > 0 {
			t.Fatalf("first: %v, %v", changed, leftOut)
		}
		return ns
	}
	ns := configured()
	if changed, leftOut := set(ns, map[string]enums.IndexedValueType{"Cells": integer}); changed || len(leftOut) > 0 {
		t.Errorf("second: %v, %v", changed, leftOut)
	}
	got := ns.Config.CustomSearchAttributeAliases
	if len(got) != 2 || got["Int01"] != "Cells" || got["Keyword01"] != "Grid" {
		t.Errorf("columns %v", got)
	}
	for name, c := range map[string]struct {
		attrs map[string]enums.IndexedValueType
		want  string
	}{
		"type": {
			map[string]enums.IndexedValueType{"Cells": keyword},
			"search attribute Cells: exists with type Int, not Keyword",
		},
		"system":   {map[string]enums.IndexedValueType{"WorkflowId": keyword}, "belongs to Temporal"},
		"reserved": {map[string]enums.IndexedValueType{"TemporalX": keyword}, "belongs to Temporal"},
		"empty":    {map[string]enums.IndexedValueType{"": keyword}, "belongs to Temporal"},
		"no type":  {map[string]enums.IndexedValueType{"A": 0}, "no such type"},
		"too many": {
			map[string]enums.IndexedValueType{"A": integer, "B": integer, "C": integer},
			"search attribute C: all 3 of type Int are taken: Cells, A, B",
		},
	} {
		if _, leftOut := set(configured(), c.attrs); len(leftOut) != 1 || !strings.Contains(leftOut[0].Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, leftOut, c.want)
		}
	}
	// One that is left out keeps no other from its place.
	ns = configured()
	changed, leftOut := set(ns, map[string]enums.IndexedValueType{"Cells": keyword, "Done": integer, "State": keyword})
	got = ns.Config.CustomSearchAttributeAliases
	if !changed || len(leftOut) != 1 || len(got) != 4 || got["Int02"] != "Done" || got["Keyword02"] != "State" {
		t.Errorf("beside one of another type: %v, %v, %v", changed, leftOut, got)
	}
}

// The next start changes the retention of a namespace that exists and adds new search
// attributes. Clients and workflows can use them at once. The old attributes stay.
func TestNamespaceChanges(t *testing.T) {
	dir, namespace := t.TempDir(), "sweeps"
	grid, cells := temporal.NewSearchAttributeKeyKeyword("Grid"), temporal.NewSearchAttributeKeyInt64("Cells")
	open := func(t *testing.T, retention time.Duration, attrs map[string]enums.IndexedValueType) client.Client {
		c := dial(t, start(t, dir, func(o *Options) {
			o.Namespace, o.Retention, o.SearchAttributes = namespace, retention, attrs
		}), namespace)
		request := &workflowservice.DescribeNamespaceRequest{Namespace: namespace}
		ns, err := c.WorkflowService().DescribeNamespace(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if got := ns.Config.WorkflowExecutionRetentionTtl.AsDuration(); got != retention {
			t.Errorf("retention %v; want %v", got, retention)
		}
		return c
	}
	execute := func(t *testing.T, c client.Client, id string, attrs ...temporal.SearchAttributeUpdate) {
		_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
			ID: id, TaskQueue: "q", TypedSearchAttributes: temporal.NewSearchAttributes(attrs...),
		}, "count", 16)
		if err != nil {
			t.Fatal(err)
		}
	}

	t.Run("create", func(t *testing.T) {
		c := open(t, 48*time.Hour, map[string]enums.IndexedValueType{"Cells": integer})
		execute(t, c, "first", cells.ValueSet(16)) // stays open until the next server
	})
	t.Run("change", func(t *testing.T) {
		c := open(t, 72*time.Hour, map[string]enums.IndexedValueType{"Grid": keyword, "Done": integer})
		execute(t, c, "second", cells.ValueSet(16), grid.ValueSet("k"))
		w := worker.New(c, "q", worker.Options{})
		w.RegisterWorkflowWithOptions(func(ctx workflow.Context, n int64) error {
			return workflow.UpsertTypedSearchAttributes(ctx, temporal.NewSearchAttributeKeyInt64("Done").ValueSet(n))
		}, workflow.RegisterOptions{Name: "count"})
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		defer w.Stop()
		for _, id := range []string{"first", "second"} {
			if err := c.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		for query, want := range map[string]int64{"Cells = 16": 2, "Done = 16": 2, "Grid = 'k'": 1} {
			eventually(t, query, func(ctx context.Context) (bool, error) {
				n, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
				return n.GetCount() == want, err
			})
		}
	})
}

// A server starts without the search attributes for which its database has no room, and
// those that are there stay what they are.
func TestNoRoomForAttributes(t *testing.T) {
	dir := t.TempDir()
	open := func(t *testing.T, attrs map[string]enums.IndexedValueType) (*Server, map[string]enums.IndexedValueType) {
		s := start(t, dir, func(o *Options) { o.SearchAttributes = attrs })
		request := &operatorservice.ListSearchAttributesRequest{Namespace: DefaultNamespace}
		have, err := dial(t, s, DefaultNamespace).OperatorService().ListSearchAttributes(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		return s, have.CustomAttributes
	}
	before := map[string]enums.IndexedValueType{"A": integer, "B": integer, "State": integer}
	t.Run("before", func(t *testing.T) {
		if s, have := open(t, before); len(s.LeftOut) > 0 || !maps.Equal(have, before) {
			t.Errorf("%v, without %v", have, s.LeftOut)
		}
	})
	t.Run("after", func(t *testing.T) {
		s, have := open(t, map[string]enums.IndexedValueType{"Cells": integer, "State": keyword, "Grid": keyword})
		want := maps.Clone(before)
		want["Grid"] = keyword
		if !maps.Equal(have, want) {
			t.Errorf("%v; want %v", have, want)
		}
		const told = "[search attribute Cells: all 3 of type Int are taken: A, B, State" +
			" search attribute State: exists with type Int, not Keyword]"
		if got := fmt.Sprint(s.LeftOut); got != told {
			t.Errorf("left out: %s; want %s", got, told)
		}
	})
}
