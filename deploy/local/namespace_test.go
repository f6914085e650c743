//go:build !noserver

package local

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
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
	set := func(ns *persistencespb.NamespaceDetail, attrs map[string]enums.IndexedValueType) (bool, error) {
		return configure(ns, Options{Retention: time.Hour, SearchAttributes: attrs})
	}
	configured := func() *persistencespb.NamespaceDetail {
		ns := &persistencespb.NamespaceDetail{Config: &persistencespb.NamespaceConfig{}}
		changed, err := set(ns, map[string]enums.IndexedValueType{"Cells": integer, "Grid": keyword})
		if !changed || err != nil {
			t.Fatalf("first: %v, %v", changed, err)
		}
		return ns
	}
	ns := configured()
	if changed, err := set(ns, map[string]enums.IndexedValueType{"Cells": integer}); changed || err != nil {
		t.Errorf("second: %v, %v", changed, err)
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
		if _, err := set(configured(), c.attrs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
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
