package main

import (
	"context"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

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
	again      func() // called when a heartbeat is sent again
	started    []*workflowservice.StartWorkflowExecutionRequest
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
		s.again()
	}
	return nil, status.Error(codes.Unavailable, "the server restarts")
}

func (s *grpcServer) StartWorkflowExecution(_ context.Context, r *workflowservice.StartWorkflowExecutionRequest) (
	*workflowservice.StartWorkflowExecutionResponse, error) {

	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = append(s.started, r)
	return &workflowservice.StartWorkflowExecutionResponse{RunId: "1", Started: true}, nil
}

func (s *grpcServer) ListSearchAttributes(_ context.Context, r *operatorservice.ListSearchAttributesRequest) (
	*operatorservice.ListSearchAttributesResponse, error) {

	if r.Namespace != "research" {
		return nil, serviceerror.ToStatus(serviceerror.NewNamespaceNotFound(r.Namespace)).Err()
	}
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: searchAttributes()}, nil
}

// dialGRPCServer starts a grpcServer and dials it as the verbs do.
func dialGRPCServer(t *testing.T, namespace string) (*grpcServer, *server) {
	t.Helper()
	withoutTemporalVariables(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fake, g := &grpcServer{}, grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(g, fake)
	operatorservice.RegisterOperatorServiceServer(g, fake)
	go g.Serve(listener)
	t.Cleanup(g.Stop)
	named := connection{address: listener.Addr().String(), namespace: namespace}
	srv, err := named.dial(t.Context(), t.TempDir(), nil)
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
	fake.again = cancel // the client would try for a minute
	if err := srv.client.RecordActivityHeartbeat(ctx, []byte("token"), 7); err != nil || fake.heartbeats != 1 {
		t.Errorf("after %d calls: %v", fake.heartbeats, err)
	}
}

// Without a namespace the connection has Temporal's default.
func TestDefaultNamespace(t *testing.T) {
	if _, srv := dialGRPCServer(t, ""); srv.namespace != "default" {
		t.Errorf("namespace %q", srv.namespace)
	}
}
