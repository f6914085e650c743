//go:build !noserver

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// documentedQueries returns the queries of docs/web-ui.md.
func documentedQueries(t *testing.T) (queries []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "web-ui.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "<!-- queries -->\n")
	table, _, ok := strings.Cut(rest, "<!-- /queries -->\n")
	if !ok {
		t.Fatal("docs/web-ui.md has no table of queries")
	}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")
	for _, m := range row.FindAllStringSubmatch(table, -1) {
		queries = append(queries, m[1])
	}
	if len(queries) != strings.Count(table, "\n")-2 {
		t.Fatalf("%d queries in\n%s", len(queries), table)
	}
	for name := range searchAttributes() {
		if !slices.ContainsFunc(queries, func(q string) bool { return strings.Contains(q, name) }) {
			t.Errorf("docs/web-ui.md has no query for %s", name)
		}
	}
	return queries
}

// Each query of the documentation finds some sweeps on a real server, and not all of them.
func TestDocumentedQueries(t *testing.T) {
	srv := serve(t, t.TempDir())
	known := knownAttributes(t.Context(), t.Output(), srv)
	start := func(owner string, h *plan.Header, cells []grid.Cell, later ...temporal.SearchAttributeUpdate) {
		t.Helper()
		first := firstAttributes(known, h, cells, owner)
		set := append([]temporal.SearchAttributeUpdate{first.Copy()}, later...)
		_, err := srv.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
			ID: h.ID, TaskQueue: protocol.Queue, TypedSearchAttributes: temporal.NewSearchAttributes(set...),
		}, protocol.WorkflowSweep)
		if err != nil {
			t.Fatal(err)
		}
	}
	state := temporal.NewSearchAttributeKeyKeyword(protocol.AttrState)
	done := temporal.NewSearchAttributeKeyInt64(protocol.AttrDone)
	failed := temporal.NewSearchAttributeKeyInt64(protocol.AttrFailed)
	best := temporal.NewSearchAttributeKeyFloat64(protocol.AttrBestNMSE)

	_, demo := storedPlan(t, demoGrid)
	demo.ID, demo.Name = "topk-demo-1", "topk-demo"
	cells := []grid.Cell{{Values: []string{"4", "64"}}, {Values: []string{"16", "64"}}}
	start("ada", demo, cells, done.ValueSet(0), failed.ValueSet(0))

	layer := &plan.Header{ID: "layer8-2", Name: "layer8", Axes: []string{"k", "lr"}}
	layer.CellCount, layer.Data.Source = 1000, "/data/layer8/*.safetensors"
	cells = []grid.Cell{{Values: []string{"8", "1e-3"}}, {Values: []string{"16", "3e-4"}}}
	start("grace", layer, cells,
		state.ValueSet(string(plan.Failed)), done.ValueSet(998), failed.ValueSet(2), best.ValueSet(0.0625))

	before := &plan.Header{ID: "before-3", Name: "before"}
	before.CellCount, before.Data.Source = 1, strings.Repeat("/long", 100)
	start("", before, []grid.Cell{{}}, state.ValueSet(protocol.StateContinued), done.ValueSet(1),
		failed.ValueSet(0), best.ValueSet(0.5))
	countOf(t, srv, "WorkflowType = '"+protocol.WorkflowSweep+"'", 3)

	for _, query := range documentedQueries(t) {
		request := &workflowservice.CountWorkflowExecutionsRequest{Query: query}
		n, err := srv.client.CountWorkflow(t.Context(), request)
		if err != nil || n.Count == 0 || n.Count == 3 {
			t.Errorf("%s: %d of 3 sweeps, %v", query, n.GetCount(), err)
		}
	}
	for query, want := range map[string]int64{
		"SweepAxes = 'k=8'": 1, "SweepAxes = 'k=1'": 0, "SweepAxes = 'k=16'": 2, "SweepAxes = '16'": 0,
		"SweepAxes IN ('lr=1e-3', 'lr=1')": 1, "SweepOwner IS NULL": 1, "SweepState = 'training'": 1,
	} {
		n, err := srv.client.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		if err != nil || n.Count != want {
			t.Errorf("%s: %d sweeps, want %d; %v", query, n.GetCount(), want, err)
		}
	}
}

// A sweep that the programs run is found by what its grid says.
func TestRealSweepIsFound(t *testing.T) {
	dir := t.TempDir()
	mustRun(t, dir, "run", writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 50")), "--no-ui")
	srv := serve(t, dir)
	countOf(t, srv, "SweepName = 'small' AND SweepCells = 4 AND SweepData = 'synthetic' AND SweepAxes = 'k=4'", 1)
	d, err := srv.client.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
		Query: "SweepName = 'small'",
	})
	if err != nil || len(d.Executions) != 1 || d.Executions[0].Status != enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		t.Errorf("%v, %v", d, err)
	}
}
