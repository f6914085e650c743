package main

import (
	"context"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// toleratingLostHeartbeats returns options of a connection on which a heartbeat
// without an answer is no error.
//
// The SDK cancels an activity whose heartbeat gets no answer within the throttle
// interval, here two seconds. A server gives none for longer when it is restarted,
// or while its disk is written full, and that must stop no training. Only the
// server can say that an activity is lost. Once it answers again, the next
// heartbeat learns whether the run was given to another attempt; until then the
// claim of that attempt keeps this one from writing checkpoints.
//
// lost counts them, since the SDK's own metrics have them as answered.
func toleratingLostHeartbeats(o client.ConnectionOptions, lost client.MetricsCounter) client.ConnectionOptions {
	o.DialOptions = append(o.DialOptions, grpc.WithChainUnaryInterceptor(tolerateLostHeartbeats(lost)))
	return o
}

// tolerateLostHeartbeats returns a gRPC interceptor: it makes a heartbeat that got no
// answer a success, and passes everything else on.
func tolerateLostHeartbeats(lost client.MetricsCounter) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
		call grpc.UnaryInvoker, opts ...grpc.CallOption) error {

		err := call(ctx, method, req, reply, cc, opts...)
		isHeartbeat := method == workflowservice.WorkflowService_RecordActivityTaskHeartbeat_FullMethodName
		if isHeartbeat && noAnswer(status.Code(err)) {
			lost.Inc(1)
			return nil
		}
		return err
	}
}

// noAnswer says that a call got no answer, rather than one that refuses it.
func noAnswer(c codes.Code) bool {
	switch c {
	case codes.DeadlineExceeded, codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.Internal, codes.Unknown:
		return true
	}
	return false
}
