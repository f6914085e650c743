package main

import (
	"context"
	"testing"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A server that gives no answer to a heartbeat stops no run; one that says that the
// activity is gone, or refuses the worker, does.
func TestLostHeartbeats(t *testing.T) {
	const (
		heartbeat = workflowservice.WorkflowService_RecordActivityTaskHeartbeat_FullMethodName
		other     = workflowservice.WorkflowService_RespondActivityTaskCompleted_FullMethodName
	)
	for _, x := range []struct {
		method string
		code   codes.Code
		want   codes.Code
	}{
		{heartbeat, codes.OK, codes.OK},
		{heartbeat, codes.DeadlineExceeded, codes.OK},
		{heartbeat, codes.Unavailable, codes.OK},
		{heartbeat, codes.ResourceExhausted, codes.OK},
		{heartbeat, codes.NotFound, codes.NotFound},
		{heartbeat, codes.Canceled, codes.Canceled},
		{heartbeat, codes.PermissionDenied, codes.PermissionDenied},
		{heartbeat, codes.InvalidArgument, codes.InvalidArgument},
		{other, codes.DeadlineExceeded, codes.DeadlineExceeded},
		{other, codes.Unavailable, codes.Unavailable},
	} {
		call := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
			return status.Error(x.code, "from the server")
		}
		lost := &counted{}
		err := tolerateLostHeartbeats(lost)(t.Context(), x.method, nil, nil, nil, call)
		if got := status.Code(err); got != x.want {
			t.Errorf("%s: %s became %s, want %s", x.method, x.code, got, x.want)
		}
		if isLost := x.code != x.want; (lost.n == 1) != isLost {
			t.Errorf("%s: %s: counted %d times", x.method, x.code, lost.n)
		}
	}
}

type counted struct{ n int64 }

func (c *counted) Inc(n int64) { c.n += n }
