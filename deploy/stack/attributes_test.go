//go:build unix

package stack_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"
)

// asTemporal in the environment makes the test binary temporalCommand.
const asTemporal = "SWEEP_TEST_AS_TEMPORAL"

func TestMain(m *testing.M) {
	if os.Getenv(asTemporal) != "" {
		if err := temporalCommand(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// temporalCommand does what namespace.sh asks of Temporal's command line, which is in the
// containers. It prints tables and errors in the same form.
func temporalCommand(args []string) error {
	var verb []string
	flags := map[string][]string{}
	for i := 0; i < len(args); i++ {
		if name, isFlag := strings.CutPrefix(args[i], "--"); isFlag && i+1 < len(args) {
			flags[name] = append(flags[name], args[i+1])
			i++
			continue
		}
		verb = append(verb, args[i])
	}
	ns := namespace
	if len(flags["namespace"]) > 0 {
		ns = flags["namespace"][0]
	}
	c, err := client.NewLazyClient(client.Options{
		HostPort: os.Getenv("TEMPORAL_ADDRESS"), Namespace: ns, Logger: silent{},
	})
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	switch strings.Join(verb, " ") {
	case "operator cluster health":
		_, err = c.CheckHealth(ctx, nil)
	case "operator namespace describe":
		_, err = c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: ns})
	case "operator namespace create":
		var retention time.Duration
		if retention, err = time.ParseDuration(flags["retention"][0]); err != nil {
			return err
		}
		_, err = c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: ns, WorkflowExecutionRetentionPeriod: durationpb.New(retention),
		})
	case "operator search-attribute list":
		var have map[string]enums.IndexedValueType
		have, err = attributes(ctx, c, ns)
		fmt.Println("  Name        Type     ")
		for _, name := range slices.Sorted(maps.Keys(have)) {
			fmt.Printf("  %-20s  %-11v  \n", name, have[name])
		}
	case "operator search-attribute create":
		err = createAttributes(ctx, c, ns, flags["name"], flags["type"])
	case "workflow list":
		_, err = c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: flags["query"][0]})
	default:
		err = fmt.Errorf("unknown command %v", args)
	}
	return err
}

// attributes returns the search attributes that a namespace has besides the server's own.
func attributes(ctx context.Context, c client.Client, namespace string) (map[string]enums.IndexedValueType, error) {
	r, err := c.OperatorService().ListSearchAttributes(ctx,
		&operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	return r.GetCustomAttributes(), err
}

// createAttributes creates search attributes. One that has another type is an error, as for
// Temporal's command line.
func createAttributes(ctx context.Context, c client.Client, namespace string, names, types []string) error {
	have, err := attributes(ctx, c, namespace)
	if err != nil {
		return err
	}
	add := map[string]enums.IndexedValueType{}
	for i, name := range names {
		add[name] = enums.IndexedValueType(enums.IndexedValueType_shorthandValue[types[i]])
		if had, ok := have[name]; ok && had != add[name] {
			return fmt.Errorf("search attribute %s already exists and has different type %v", name, had)
		}
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx,
		&operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: add})
	return err
}

// finds waits until a query finds as many workflows: the server indexes them in the
// background.
func (s *temporalServer) finds(t *testing.T, namespace, query string, want int64) {
	t.Helper()
	c := s.dial(t)
	defer c.Close()
	var n *workflowservice.CountWorkflowExecutionsResponse
	var err error
	defer func() {
		if t.Failed() {
			t.Logf("%s: %v, %v", query, n, err)
		}
	}()
	until(t, query, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		request := &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: query}
		n, err = c.CountWorkflow(ctx, request)
		return err == nil && n.Count == want
	})
}

// testAttributes: the script creates all search attributes. In a namespace without room for
// all of them it creates the others, and says which it leaves out.
func testAttributes(t *testing.T, s *stack) {
	c := s.temporal.dial(t)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want := map[string]enums.IndexedValueType{
		"SweepName": enums.INDEXED_VALUE_TYPE_KEYWORD, "SweepState": enums.INDEXED_VALUE_TYPE_KEYWORD,
		"SweepCells": enums.INDEXED_VALUE_TYPE_INT, "SweepDone": enums.INDEXED_VALUE_TYPE_INT,
		"SweepFailed": enums.INDEXED_VALUE_TYPE_INT, "SweepBestNMSE": enums.INDEXED_VALUE_TYPE_DOUBLE,
		"SweepData": enums.INDEXED_VALUE_TYPE_KEYWORD, "SweepAxes": enums.INDEXED_VALUE_TYPE_KEYWORD_LIST,
		"SweepOwner": enums.INDEXED_VALUE_TYPE_KEYWORD,
	}
	if got, err := attributes(ctx, c, namespace); err != nil || !maps.Equal(got, want) {
		t.Errorf("search attributes %v, %v; want %v", got, err, want)
	}

	const crowded = "crowded"
	_, err := c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: crowded, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	names, types := []string{"A", "B", "SweepOwner"}, []string{"Int", "Int", "Bool"}
	until(t, "attributes of somebody else", func() bool {
		err = createAttributes(ctx, c, crowded, names, types)
		return err == nil
	})
	out := s.temporal.runNamespaceScript(t, crowded)
	for _, note := range []string{
		"note: sweeps go without the search attribute SweepDone of type Int: ",
		"note: sweeps go without the search attribute SweepFailed of type Int: ",
		"note: sweeps go without the search attribute SweepOwner of type Keyword: ",
	} {
		if !strings.Contains(out, note) {
			t.Errorf("no %q in:\n%s", note, out)
		}
	}
	if got := strings.Count(out, "note: "); got != 3 {
		t.Errorf("%d notes:\n%s", got, out)
	}
	got, err := attributes(ctx, c, crowded)
	if err != nil || len(got) != len(want) || got["SweepAxes"] == 0 || got["SweepCells"] == 0 || got["SweepDone"] != 0 {
		t.Errorf("search attributes %v, %v", got, err)
	}
	s.temporal.finds(t, crowded, "SweepCells = 0 OR SweepAxes = 'k'", 0)
}
