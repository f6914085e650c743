package main

import (
	"context"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// patient makes a connection on which an unheard heartbeat stops nothing. The
// SDK cancels an activity whose heartbeat gets no answer within the throttle
// interval, here two seconds: less than a disk that is written full, or a server
// that is restarted, keeps silent. Whether an activity is lost is the server's to
// say: once it answers again, the next heartbeat learns whether the run was given
// to another attempt, and until then that attempt's claim fences this one off.
func patient(o client.ConnectionOptions) client.ConnectionOptions {
	o.DialOptions = append(o.DialOptions, grpc.WithChainUnaryInterceptor(shrug))
	return o
}

func shrug(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := call(ctx, method, req, reply, cc, opts...)
	if method != workflowservice.WorkflowService_RecordActivityTaskHeartbeat_FullMethodName {
		return err
	}
	if noAnswer(status.Code(err)) {
		return nil
	}
	return err
}

// noAnswer says that a server gave no answer, rather than one that is bad.
func noAnswer(c codes.Code) bool {
	switch c {
	case codes.DeadlineExceeded, codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.Internal, codes.Unknown:
		return true
	}
	return false
}
