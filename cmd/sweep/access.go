package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// accessTimeout is how long a server may take to say whether this program may use a namespace.
const accessTimeout = 10 * time.Second

// checkAccess asks a server whether this program may use its namespace: many servers tell nothing before. hasKey says
// that an API key is sent. What a server does not answer is no error here.
func (s *server) checkAccess(ctx context.Context, hostPort string, hasKey bool) error {
	ctx, cancel := context.WithTimeout(ctx, accessTimeout)
	defer cancel()
	_, err := s.client.WorkflowService().DescribeNamespace(ctx,
		&workflowservice.DescribeNamespaceRequest{Namespace: s.namespace})
	if isRefusal(codeOf(err)) {
		// Whoever may not look at the namespace may still be allowed to use it.
		_, err = s.client.DescribeWorkflowExecution(ctx, "sweep", "")
	}
	return noAccess(err, hostPort, s.namespace, hasKey)
}

// noAccess says what to do about an error by which a server refuses a namespace, or all of it; nil if err is none.
func noAccess(err error, hostPort, namespace string, hasKey bool) error {
	var missing *serviceerror.NamespaceNotFound
	switch code := codeOf(err); {
	case errors.As(err, &missing):
		return fmt.Errorf("the Temporal server at %s has no namespace %s: create it there, or name another one with "+
			"--namespace or TEMPORAL_NAMESPACE; on Temporal Cloud its name is NAME.ACCOUNT", hostPort, namespace)
	case !isRefusal(code):
		return nil
	case hasKey:
		return fmt.Errorf("the Temporal server at %s refuses the API key for the namespace %s: %w; see that the key of "+
			"TEMPORAL_API_KEY, or of the configuration file, is whole, has not ended, and may write to this namespace",
			hostPort, namespace, innermost(err))
	default:
		return fmt.Errorf("the Temporal server at %s lets nobody into the namespace %s without a key: %w; set "+
			"TEMPORAL_API_KEY, or TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH", hostPort, namespace,
			innermost(err))
	}
}

// isRefusal says that a server knows, or does not know, who asks, and refuses.
func isRefusal(c codes.Code) bool { return c == codes.PermissionDenied || c == codes.Unauthenticated }

// innermost returns what the server said, without what the client's library says around it.
func innermost(err error) error {
	if of := (serviceerror.ServiceError)(nil); errors.As(err, &of) {
		return of
	}
	return err
}

// codeOf returns the code of an error of a call, also of one that is wrapped; OK for nil.
func codeOf(err error) codes.Code {
	if of := (serviceerror.ServiceError)(nil); errors.As(err, &of) {
		return of.Status().Code()
	}
	return status.Code(err)
}

// hide returns a gRPC interceptor that keeps secrets out of the errors of a server, which may tell what it was sent.
func hide(secrets func() []string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker,
		opts ...grpc.CallOption) error {

		err := call(ctx, method, req, reply, cc, opts...)
		if err == nil {
			return nil
		}
		said := status.Convert(err)
		for _, secret := range secrets() {
			if secret != "" && strings.Contains(said.Message()+fmt.Sprint(said.Details()...), secret) {
				said = status.New(said.Code(), strings.ReplaceAll(said.Message(), secret, "…")) // without details
				err = said.Err()
			}
		}
		return err
	}
}
