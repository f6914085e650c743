package main

import (
	"bytes"
	"context"
	"maps"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A grpcServer is a Temporal server with one namespace, research. It accepts
// workflows and gives no answer to heartbeats.
type grpcServer struct {
	workflowservice.UnimplementedWorkflowServiceServer
	operatorservice.UnimplementedOperatorServiceServer

	mu         sync.Mutex
	heartbeats int
	repeated   func() // called when a heartbeat is sent again
	started    []*workflowservice.StartWorkflowExecutionRequest
	attributes map[string]enums.IndexedValueType // of its namespace; nil: it does not tell
	stale      bool                              // it refuses workflows with search attributes
}

func (s *grpcServer) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (
	*workflowservice.GetSystemInfoResponse, error) {

	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (s *grpcServer) RecordActivityTaskHeartbeat(context.Context, *workflowservice.RecordActivityTaskHeartbeatRequest) (
	*workflowservice.RecordActivityTaskHeartbeatResponse, error) {

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heartbeats++; s.heartbeats > 1 {
		s.repeated()
	}
	return nil, status.Error(codes.Unavailable, "the server restarts")
}

func (s *grpcServer) StartWorkflowExecution(_ context.Context, r *workflowservice.StartWorkflowExecutionRequest) (
	*workflowservice.StartWorkflowExecutionResponse, error) {

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stale && len(r.SearchAttributes.GetIndexedFields()) > 0 {
		return nil, status.Error(codes.InvalidArgument, "no mapping defined for search attribute SweepOwner")
	}
	s.started = append(s.started, r)
	return &workflowservice.StartWorkflowExecutionResponse{RunId: "1", Started: true}, nil
}

func (s *grpcServer) ListSearchAttributes(_ context.Context, r *operatorservice.ListSearchAttributesRequest) (
	*operatorservice.ListSearchAttributesResponse, error) {

	if r.Namespace != "research" {
		return nil, serviceerror.ToStatus(serviceerror.NewNamespaceNotFound(r.Namespace)).Err()
	}
	if s.attributes == nil {
		return nil, status.Error(codes.PermissionDenied, "not for you")
	}
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: s.attributes}, nil
}

// dialGRPCServer starts a grpcServer and dials it as the verbs do.
func dialGRPCServer(t *testing.T, namespace string) (*grpcServer, *server) {
	t.Helper()
	withoutTemporalVariables(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fake, g := &grpcServer{attributes: searchAttributes()}, grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(g, fake)
	operatorservice.RegisterOperatorServiceServer(g, fake)
	go g.Serve(listener)
	t.Cleanup(g.Stop)
	named := connection{address: listener.Addr().String(), namespace: namespace}
	srv, err := named.dial(t.Context(), &environment{}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.close)
	return fake, srv
}

// withoutTemporalVariables hides Temporal's variables and configuration file from a
// test.
func withoutTemporalVariables(t *testing.T) {
	t.Helper()
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "TEMPORAL_") {
			t.Setenv(name, "") // which Cleanup sets back
			os.Unsetenv(name)
		}
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
}

// A heartbeat to a dialed server that gives no answer is no error: training goes on.
func TestDialedServerLosesHeartbeats(t *testing.T) {
	fake, srv := dialGRPCServer(t, "research")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	fake.repeated = cancel // the client would try for a minute
	if err := srv.client.RecordActivityHeartbeat(ctx, []byte("token"), 7); err != nil || fake.heartbeats != 1 {
		t.Errorf("after %d calls: %v", fake.heartbeats, err)
	}
}

// A sweep gets the search attributes of the namespace that it starts in.
func TestStartInNamespace(t *testing.T) {
	fake, srv := dialGRPCServer(t, "research")
	if srv.namespace != "research" {
		t.Errorf("namespace %q", srv.namespace)
	}
	var notes bytes.Buffer
	request := startDemo(t, fake, srv, "ada", &notes)
	want := map[string]string{
		"SweepName": `"demo"`, "SweepState": `"training"`, "SweepCells": "4", "SweepData": `"synthetic"`,
		"SweepAxes": `["k","dict_size","k=2","k=4","dict_size=64","dict_size=128"]`, "SweepOwner": `"ada"`,
	}
	if got := attributesOf(request); !maps.Equal(got, want) || notes.Len() > 0 {
		t.Errorf("search attributes %v; want %v; notes: %s", got, want, &notes)
	}
	_, h := storedPlan(t, demoGrid)
	if request.Namespace != "research" || request.WorkflowId != h.ID {
		t.Errorf("started %s in the namespace %q", request.WorkflowId, request.Namespace)
	}
}

// The links to a sweep are whole: that to the Web UI with the namespace of the connection, that to the report with the
// sweep.
func TestStatusNamesNamespace(t *testing.T) {
	var out bytes.Buffer
	srv := &server{namespace: "research", uiURL: "http://127.0.0.1:8233/key", reportURL: "http://127.0.0.1:8234/other/"}
	newStatusText(&environment{out: &out}, srv, "demo-1", false).write(&out, sweepState{ID: "demo-1"})
	want := "\nhttp://127.0.0.1:8233/key/namespaces/research/workflows/demo-1\nhttp://127.0.0.1:8234/other/demo-1/\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("no %q in:\n%s", want, out.String())
	}
}

// Without a namespace the connection has Temporal's default.
func TestDefaultNamespace(t *testing.T) {
	if _, srv := dialGRPCServer(t, ""); srv.namespace != "default" {
		t.Errorf("namespace %q", srv.namespace)
	}
}
