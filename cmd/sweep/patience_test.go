package main

import (
	"context"
	"testing"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A server that is silent stops no run; one that says that the activity is gone,
// or refuses the worker, does.
func TestPatience(t *testing.T) {
	const beat, other = workflowservice.WorkflowService_RecordActivityTaskHeartbeat_FullMethodName, workflowservice.WorkflowService_RespondActivityTaskCompleted_FullMethodName
	for _, c := range []struct {
		method string
		code   codes.Code
		want   codes.Code
	}{
		{beat, codes.OK, codes.OK},
		{beat, codes.DeadlineExceeded, codes.OK},
		{beat, codes.Unavailable, codes.OK},
		{beat, codes.ResourceExhausted, codes.OK},
		{beat, codes.NotFound, codes.NotFound},
		{beat, codes.Canceled, codes.Canceled},
		{beat, codes.PermissionDenied, codes.PermissionDenied},
		{beat, codes.InvalidArgument, codes.InvalidArgument},
		{other, codes.DeadlineExceeded, codes.DeadlineExceeded},
		{other, codes.Unavailable, codes.Unavailable},
	} {
		err := shrug(t.Context(), c.method, nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
			return status.Error(c.code, "said the server")
		})
		if got := status.Code(err); got != c.want {
			t.Errorf("%s: %s became %s, want %s", c.method, c.code, got, c.want)
		}
	}
}
