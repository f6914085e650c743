package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// demoGrid has four cells.
const demoGrid = `
name: demo
data: {synthetic: {activation_dim: 32, directions: 64, tokens: 100000, active: 4}}
parameters: {k: [2, 4], dict_size: [64, 128]}
train: {steps: 500, batch_size: 256, lr: 0.003}
`

// storedPlan stores the plan of a grid.
func storedPlan(t *testing.T, text string) (*ledger.Ledger, *plan.Header) {
	t.Helper()
	g, err := grid.Parse("grid.yaml", []byte(text), grid.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.New(g, goldentest.DataInfo(), plan.Estimates{})
	if err != nil {
		t.Fatal(err)
	}
	store, err := openStore(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New(store)
	if err := l.StorePlan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return l, &p.Header
}

// startDemo starts the sweep of demoGrid on a fake server and returns what that got.
func startDemo(
	t *testing.T, fake *grpcServer, srv *server, owner string, errOut *bytes.Buffer,
) *workflowservice.StartWorkflowExecutionRequest {
	t.Helper()
	l, h := storedPlan(t, demoGrid)
	s := submission{header: h, ledger: l, owner: owner, backend: "cpu"}
	started, err := startWorkflow(t.Context(), errOut, srv, s, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
	if err != nil || !started {
		t.Fatalf("started is %t, %v", started, err)
	}
	if len(fake.started) != 1 {
		t.Fatalf("%d workflows were started", len(fake.started))
	}
	return fake.started[0]
}

// attributesOf returns the search attributes with which a workflow is started, as JSON.
func attributesOf(r *workflowservice.StartWorkflowExecutionRequest) map[string]string {
	out := map[string]string{}
	for name, p := range r.SearchAttributes.GetIndexedFields() {
		out[name] = string(p.GetData())
	}
	return out
}

// inputOf returns the input of a workflow that is started.
func inputOf(t *testing.T, args *commonpb.Payloads) (in protocol.SweepInput) {
	t.Helper()
	if err := converter.GetDefaultDataConverter().FromPayloads(args, &in); err != nil {
		t.Fatal(err)
	}
	return in
}

// On Temporal Cloud another command makes search attributes.
func TestMissingAttributesOnCloud(t *testing.T) {
	fake, srv := dialGRPCServer(t, "research")
	srv.cloud = true
	delete(fake.attributes, "SweepCells")
	delete(fake.attributes, "SweepOwner")
	var notes bytes.Buffer
	knownAttributes(t.Context(), &notes, srv)
	want := "  tcld namespace search-attributes add --namespace research --search-attribute SweepCells=Int " +
		"--search-attribute SweepOwner=Keyword\n"
	if !strings.HasSuffix(notes.String(), want) {
		t.Errorf("no %q in:\n%s", want, &notes)
	}
}

// The workflow learns which search attributes there are, and the user which are not, and how to make them.
func TestMissingAttributes(t *testing.T) {
	all := slices.Sorted(maps.Keys(searchAttributes()))
	for name, c := range map[string]struct {
		change func(map[string]enums.IndexedValueType) map[string]enums.IndexedValueType
		noted  bool
		known  []string
		notes  []string
	}{
		"all": {
			func(have map[string]enums.IndexedValueType) map[string]enums.IndexedValueType {
				have["Other"] = enums.INDEXED_VALUE_TYPE_TEXT
				return have
			}, false, all, nil,
		},
		"none": {
			func(map[string]enums.IndexedValueType) map[string]enums.IndexedValueType {
				return map[string]enums.IndexedValueType{}
			}, false, nil,
			[]string{"temporal operator search-attribute create --namespace research --name SweepAxes --type KeywordList " +
				"--name SweepBestNMSE --type Double --name SweepCells --type Int --name SweepData --type Keyword " +
				"--name SweepDone --type Int --name SweepFailed --type Int --name SweepName --type Keyword " +
				"--name SweepOwner --type Keyword --name SweepState --type Keyword\n"},
		},
		"of another type": {
			func(have map[string]enums.IndexedValueType) map[string]enums.IndexedValueType {
				have["SweepCells"] = enums.INDEXED_VALUE_TYPE_KEYWORD
				delete(have, "SweepOwner")
				return have
			}, false, without(all, "SweepCells", "SweepOwner"),
			[]string{"SweepCells: in the namespace research it is of type Keyword, not Int",
				"create --namespace research --name SweepOwner --type Keyword\n"},
		},
		"said before": {
			func(map[string]enums.IndexedValueType) map[string]enums.IndexedValueType {
				return map[string]enums.IndexedValueType{"SweepName": enums.INDEXED_VALUE_TYPE_KEYWORD}
			}, true, []string{"SweepName"}, nil,
		},
		"no answer": {
			func(map[string]enums.IndexedValueType) map[string]enums.IndexedValueType { return nil }, false, nil,
			[]string{"does not list them: not for you"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fake, srv := dialGRPCServer(t, "research")
			fake.attributes, srv.attributesNoted = c.change(fake.attributes), c.noted
			var notes bytes.Buffer
			request := startDemo(t, fake, srv, "", &notes)
			if got := inputOf(t, request.Input).Attributes; !slices.Equal(got, c.known) {
				t.Errorf("the workflow knows %v; want %v", got, c.known)
			}
			for name := range attributesOf(request) {
				if !slices.Contains(c.known, name) {
					t.Errorf("%s is set", name)
				}
			}
			if _, isSet := attributesOf(request)["SweepOwner"]; isSet {
				t.Error("a sweep of nobody has an owner")
			}
			if got := strings.Count(notes.String(), "note: "); got != len(c.notes) {
				t.Errorf("%d notes, want %d:\n%s", got, len(c.notes), &notes)
			}
			for _, want := range c.notes {
				if !strings.Contains(notes.String(), want) {
					t.Errorf("no %q in:\n%s", want, &notes)
				}
			}
		})
	}
}

// without returns the names that are not some.
func without(names []string, some ...string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(some, name) })
}

// A server that lists attributes which it does not take yet starts the sweep without them.
func TestAttributesRefused(t *testing.T) {
	fake, srv := dialGRPCServer(t, "research")
	fake.stale = true
	var notes bytes.Buffer
	request := startDemo(t, fake, srv, "ada\x00", &notes)
	in, set := inputOf(t, request.Input), attributesOf(request)
	if len(in.Attributes) > 0 || in.Owner != "ada\uFFFD" || len(set) > 0 {
		t.Errorf("input %+v, search attributes %v", in, set)
	}
	if got := notes.String(); !strings.Contains(got, "mapping") || strings.Count(got, "note: ") != 1 {
		t.Errorf("notes:\n%s", got)
	}
}

func TestKeyword(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		"/data/acts":                   "/data/acts",
		"a\x00b\xff":                   "a\uFFFDb\uFFFD",
		strings.Repeat("ä", 255):       strings.Repeat("ä", 255),
		strings.Repeat("ä", 256):       strings.Repeat("ä", 255),
		"x" + strings.Repeat("🙂", 300): "x" + strings.Repeat("🙂", 254),
	} {
		if got := keyword(text); got != want {
			t.Errorf("keyword(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestAxes(t *testing.T) {
	cell := func(values ...string) grid.Cell { return grid.Cell{Values: values} }
	var many []grid.Cell // of seeds that do not fit
	for i := range 1000 {
		many = append(many, cell("8", fmt.Sprint(i), "none"))
	}
	for name, c := range map[string]struct {
		axes  []string
		cells []grid.Cell
		want  []string
	}{
		"one cell": {nil, []grid.Cell{cell()}, nil},
		"no cells": {[]string{"k"}, nil, []string{"k"}},
		"two": {
			[]string{"k", "lr"}, []grid.Cell{cell("8", "auto"), cell("16", "auto"), cell("8", "1e-3")},
			[]string{"k", "lr", "k=8", "k=16", "lr=auto", "lr=1e-3"},
		},
		"many": {
			[]string{"k", "seed", "decay_start"}, many, []string{"k", "seed", "decay_start", "k=8", "decay_start=none"},
		},
		"older plan": {[]string{"k", "lr"}, []grid.Cell{cell("8")}, []string{"k", "lr", "k=8"}},
	} {
		if got := axesOf(c.axes, c.cells); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v; want %v", name, got, c.want)
		}
	}
}

func FuzzAxes(f *testing.F) {
	f.Add("k", "8", "lr", "auto", 3)
	f.Add("a\x00", "\"<&>\u2028", "b\xff", strings.Repeat("\x01", 400), 80)
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string, n int) {
		var cells []grid.Cell
		for i := range min(max(n, 0), 500) {
			cells = append(cells, grid.Cell{Values: []string{value1, fmt.Sprint(value2, i)}})
		}
		axes := axesOf([]string{key1, key2}, cells)
		b, err := json.Marshal(axes)
		if err != nil || len(b) > maxAxes {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		for _, a := range axes {
			if !utf8.ValidString(a) || strings.Contains(a, "\x00") || utf8.RuneCountInString(a) > maxKeyword {
				t.Errorf("keyword %q", a)
			}
		}
	})
}

// The table of search attributes has every name of package protocol, with one type each.
func TestAttributeTable(t *testing.T) {
	var got strings.Builder
	for _, key := range searchAttributeKeys() {
		fmt.Fprintf(&got, "%s %v\n", key.GetName(), key.GetValueType())
	}
	goldentest.Check(t, filepath.Join("testdata", "attributes.txt"), []byte(got.String()))
}
