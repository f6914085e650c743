package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/grpc"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/sweep/payload"
	"github.com/topksweep/sweep/sweep/plan"
)

// A server is a Temporal server to which the program is connected.
type server struct {
	client    client.Client
	namespace string
	uiURL     string      // of its Web UI; empty if there is none or it is not known
	folders   []folder    // on this machine, that its sweeps need; none of a server elsewhere
	alive     func() bool // whether its process is there, as far as this process can know
	close     func()      // ends the connection, and the server if it is this process's own

	// prefer lets the stages of a sweep go before those of others, as far as this process may say so.
	prefer func(ctx context.Context, sweep string)

	hung *hung // of the worker in this process; nil where there is none

	encrypted  bool         // its payloads are encrypted, so that nothing else is to tell what a sweep is about
	unreadable <-chan error // unreadableTasks

	attributesNoted bool // somebody was told which search attributes it lacks
}

// alwaysAlive is the alive of a server in this process, or of one that may be
// started again at its address.
func alwaysAlive() bool { return true }

// A connection says which Temporal server to use. Without flags it is that of
// Temporal's own environment variables and configuration file, else the one that
// runs on the state directory.
type connection struct {
	address, namespace string
	payloads           payloadFlag
}

func (c *connection) addFlags(f *pflag.FlagSet) {
	f.StringVar(&c.address, "address", "", "Temporal server `host:port` (default: TEMPORAL_ADDRESS "+
		"or what Temporal's configuration file says, else the one that runs on --dir)")
	f.StringVar(&c.namespace, "namespace", "", "Temporal namespace (default: TEMPORAL_NAMESPACE, else default)")
	c.payloads.addFlag(f)
}

// errNoServer says that no server was named and none runs on the state directory.
var errNoServer = errors.New("there is no Temporal server: none runs on this state directory " +
	"(start one with sweep up), and neither --address nor TEMPORAL_ADDRESS names one")

// dial connects. dir is the state directory; log may be nil.
func (c *connection) dial(ctx context.Context, dir string, log *slog.Logger) (*server, error) {
	opts, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return nil, inputError{fmt.Errorf("configuration of Temporal: %w", err)}
	}
	keys, err := c.payloads.keys()
	if err != nil {
		return nil, err
	}
	uiURL := ""
	info, ok, err := local.Running(dir)
	switch {
	case c.address != "":
		opts.HostPort = c.address
	case opts.HostPort != "": // from the environment
	case err != nil:
		return nil, err
	case !ok || info.HostPort == "":
		return nil, errNoServer
	default:
		opts.HostPort, opts.Namespace, uiURL = info.HostPort, info.Namespace, info.UIURL
	}
	if c.namespace != "" {
		opts.Namespace = c.namespace
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := checkAddress(opts.HostPort); err != nil {
		return nil, err
	}
	srv, err := connect(ctx, opts, keys, log)
	if err != nil {
		return nil, fmt.Errorf("connect to Temporal at %s: %w", opts.HostPort, err)
	}
	srv.uiURL = uiURL
	if ok && info.HostPort == opts.HostPort {
		srv.folders = []folder{newFolder(dir, true, false)}
	}
	return srv, nil
}

// connect makes every connection of the program to a Temporal server. Payloads are encrypted if there are keys.
func connect(ctx context.Context, opts client.Options, keys *payload.Keys, log *slog.Logger) (*server, error) {
	opts.Namespace = cmp.Or(opts.Namespace, client.DefaultNamespace)
	opts.Logger = sdklog.NewStructuredLogger(log)
	opts.ConnectionOptions = toleratingLostHeartbeats(opts.ConnectionOptions)
	tasks, unreadable := unreadableTasks()
	crypt, err := keys.Interceptor(unreadable)
	if err != nil {
		return nil, err
	}
	opts.ConnectionOptions.DialOptions = append(opts.ConnectionOptions.DialOptions, grpc.WithChainUnaryInterceptor(crypt))
	opts.FailureConverter = keys.FailureConverter()
	c, err := client.DialContext(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &server{
		client: c, namespace: opts.Namespace, alive: alwaysAlive, close: c.Close,
		prefer: func(context.Context, string) {}, encrypted: keys.Any(), unreadable: tasks,
	}, nil
}

// dialIfAny connects for a verb that also works without a server: srv is then nil.
// unfinished is the state of a sweep that has runs to train and is not known to be
// running: idle if there is no server, and unknown, with a note to the user, if
// the server that was named does not answer.
func (c *connection) dialIfAny(ctx context.Context, env *environment, dir string) (
	srv *server, unfinished plan.Status) {

	srv, err := c.dial(ctx, dir, nil)
	if err == nil || errors.Is(err, errNoServer) {
		return srv, plan.Idle
	}
	fmt.Fprintf(env.errOut, "note: what follows is what the store tells: %v\n", err)
	return nil, plan.Unknown
}
