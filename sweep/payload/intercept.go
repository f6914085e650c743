package payload

import (
	"context"
	"errors"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// FailureConverter is the converter of a client whose payloads are encrypted: it makes the texts of failures payloads.
// It is nil, which is the SDK's own, where there are no keys.
func (k *Keys) FailureConverter() converter.FailureConverter {
	if !k.Any() {
		return nil
	}
	return temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{EncodeCommonAttributes: true})
}

// Interceptor returns an interceptor of a connection to a Temporal server. It encrypts payloads that are sent, and
// decrypts those that are received; search attributes stay as they are. A call that brings a payload which cannot be
// decrypted fails with the status FailedPrecondition, which the SDK does not try again. unreadable is told why, with
// the method of the call; several goroutines may call it at once.
func (k *Keys) Interceptor(unreadable func(method string, err error)) (grpc.UnaryClientInterceptor, error) {
	visit, err := proxy.NewPayloadVisitorInterceptor(proxy.PayloadVisitorInterceptorOptions{
		Outbound: visitOptions(k.Encode), Inbound: visitOptions(k.Decode),
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker,
		opts ...grpc.CallOption) error {

		err := visit(ctx, method, req, reply, cc, call, opts...)
		if secret := (*UnreadableError)(nil); errors.As(err, &secret) {
			unreadable(method, secret)
			return status.Error(codes.FailedPrecondition, secret.Error())
		}
		return err
	}, nil
}

// visitOptions has all payloads of a message converted.
func visitOptions(all func([]*common.Payload) ([]*common.Payload, error)) *proxy.VisitPayloadsOptions {
	o := &proxy.VisitPayloadsOptions{SkipSearchAttributes: true}
	o.Visitor = func(_ *proxy.VisitPayloadsContext, list []*common.Payload) ([]*common.Payload, error) {
		return all(list)
	}
	// A message of a type that this program does not know, of a newer server, holds no payload of ours.
	o.WellKnownAnyVisitor = func(ctx *proxy.VisitPayloadsContext, any *anypb.Any) error {
		inner, err := any.UnmarshalNew()
		if err != nil {
			return nil
		}
		if err := proxy.VisitPayloads(ctx, inner, *o); err != nil {
			return err
		}
		return any.MarshalFrom(inner)
	}
	return o
}
