package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/pflag"
	"go.temporal.io/sdk/client"
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
	reportURL string      // of the live report; likewise
	folders   []folder    // on this machine, that its sweeps need; none of a server elsewhere
	alive     func() bool // whether its process is there, as far as this process can know
	close     func()      // ends the connection, and the server if it is this process's own

	// prefer lets the stages of a sweep go before those of others, as far as this process may say so.
	prefer func(ctx context.Context, sweep string)

	again string // a command that goes on with the sweep that is followed; "" for retry

	// train lets this process train, where that is up to it; it may be called again.
	train func() error

	hung *hung // of the worker in this process; nil where there is none

	// forSteering says that it is this process's own, and trains nothing: see startForSteering.
	forSteering bool
	encrypted   bool         // its payloads are encrypted, so that nothing else is to tell what a sweep is about
	unreadable  <-chan error // unreadableTasks

	attributesNoted bool // somebody was told which search attributes it lacks
	cloud           bool // it is Temporal Cloud
}

// sweepURL is the page of a sweep in the Web UI; "" if none is known.
func (s *server) sweepURL(sweep string) string {
	if s == nil || s.uiURL == "" {
		return ""
	}
	return fmt.Sprintf("%s/namespaces/%s/workflows/%s", s.uiURL, s.namespace, sweep)
}

// sweepLinks are those to a sweep in the Web UI and to its live report, as far as they are known.
func (s *server) sweepLinks(sweep string) []string {
	var links []string
	if url := s.sweepURL(sweep); url != "" {
		links = append(links, url)
	}
	if s != nil && s.reportURL != "" {
		links = append(links, s.reportURL+sweep+"/")
	}
	return links
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

	metrics client.MetricsHandler // what the connection counts with; nil for nothing
}

func (c *connection) addFlags(f *pflag.FlagSet) {
	f.StringVar(&c.address, "address", "", "Temporal server `host:port` (default: TEMPORAL_ADDRESS "+
		"or what Temporal's configuration file says, else the one that runs on --dir)")
	f.StringVar(&c.namespace, "namespace", "", "Temporal namespace (default: TEMPORAL_NAMESPACE, else default)")
	c.payloads.addFlag(f)
}

// errNoServer says that no server was named and none runs on the state directory.
var errNoServer = errors.New("there is no Temporal server")

// dial connects. dir is the state directory; log may be nil.
func (c *connection) dial(ctx context.Context, env *environment, dir string, log *slog.Logger) (*server, error) {
	// A file that sweep up has written only says which state directory is meant, if none runs on dir.
	file := os.Getenv("TEMPORAL_CONFIG_FILE")
	profileDir, isOurs := local.ProfileDir(file)
	profile, err := readProfile(!isOurs)
	if err != nil {
		return nil, err
	}
	opts, err := profile.options()
	if err != nil {
		return nil, err
	}
	keys, err := c.payloads.keys()
	if err != nil {
		return nil, err
	}
	info, running, err := local.Running(dir)
	if isOurs && !running && err == nil {
		info, running, err = local.Running(profileDir)
		dir = profileDir
	}
	running = running && info.HostPort != ""
	opts.MetricsHandler = c.metrics
	opts.HostPort = cmp.Or(c.address, opts.HostPort)
	opts.Namespace = cmp.Or(c.namespace, opts.Namespace)
	switch {
	case opts.HostPort == "" && err != nil:
		return nil, err
	case opts.HostPort == "" && !running:
		return nil, fmt.Errorf("%w: none runs on this state directory (%s starts one), and neither --address nor "+
			"TEMPORAL_ADDRESS names one", errNoServer, env.command("up"))
	case opts.HostPort == "":
		return dialEmbedded(ctx, dir, info, c.namespace, keys, c.metrics, log)
	case running && info.At(opts.HostPort): // which asks for no API key, and is to get none
		opts.Credentials, opts.HeadersProvider = nil, nil
		if profile.TLS == nil {
			opts.ConnectionOptions.TLS = nil
		}
		srv, err := dialNamed(ctx, opts, &info, keys, log)
		if err == nil {
			srv.of(dir, info)
		}
		return srv, err
	}
	if profile.sendsSecret() && opts.ConnectionOptions.TLS == nil {
		return nil, inputError{errKeyInClear}
	}
	srv, err := dialNamed(ctx, opts, nil, keys, log)
	if err == nil {
		if err = srv.checkAccess(ctx, opts.HostPort, profile.APIKey != ""); err != nil {
			srv.close()
			return nil, err
		}
	}
	return srv, err
}

// dialEmbedded connects to the server that runs on a state directory. namespace may be empty.
func dialEmbedded(ctx context.Context, dir string, info local.Info, namespace string, keys *payload.Keys,
	metrics client.MetricsHandler, log *slog.Logger) (*server, error) {

	tls, err := info.ClientTLS()
	if err != nil {
		return nil, err
	}
	opts := embeddedOptions(info.HostPort, cmp.Or(namespace, info.Namespace), tls)
	opts.MetricsHandler = metrics
	srv, err := dialNamed(ctx, opts, nil, keys, log)
	if err != nil {
		return nil, err
	}
	srv.of(dir, info)
	return srv, nil
}

// of notes that the server is the one that runs on a state directory.
func (s *server) of(dir string, info local.Info) {
	s.uiURL, s.reportURL = info.UIURL, info.ReportURL
	s.folders = []folder{newFolder(dir, true, false)}
}

// embeddedOptions are those of a connection to an embedded server.
func embeddedOptions(hostPort, namespace string, tls *tls.Config) client.Options {
	return client.Options{
		HostPort: hostPort, Namespace: namespace, ConnectionOptions: client.ConnectionOptions{TLS: tls},
	}
}

// dialNamed connects to a server at an address. If it is an embedded one, as is says, its certificates are used, unless
// the user has settings of TLS. keys are those of the payloads.
func dialNamed(ctx context.Context, opts client.Options, is *local.Info, keys *payload.Keys, log *slog.Logger) (
	*server, error) {

	if to := &opts.ConnectionOptions; is != nil && to.TLS == nil && !to.TLSDisabled {
		tls, err := is.ClientTLS()
		if err != nil {
			return nil, err
		}
		to.TLS = tls
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := checkAddress(opts.HostPort); err != nil {
		return nil, err
	}
	srv, err := connect(ctx, opts, keys, log)
	if err != nil {
		namespace := cmp.Or(opts.Namespace, client.DefaultNamespace)
		if refusal := noAccess(err, opts.HostPort, namespace, opts.Credentials != nil); refusal != nil {
			return nil, refusal
		}
		err = fmt.Errorf("connect to Temporal at %s: %w", opts.HostPort, err)
		if hint := tlsHint(ctx, opts); hint != "" {
			err = fmt.Errorf("%w; %s", err, hint)
		}
		return nil, err
	}
	return srv, nil
}

// connect makes every connection of the program to a Temporal server. Payloads are encrypted if there are keys.
func connect(ctx context.Context, opts client.Options, keys *payload.Keys, log *slog.Logger) (*server, error) {
	opts.Namespace = cmp.Or(opts.Namespace, client.DefaultNamespace)
	opts.Logger = sdklog.NewStructuredLogger(log)
	if opts.MetricsHandler == nil {
		opts.MetricsHandler = client.MetricsNopHandler
	}
	opts.ConnectionOptions = toleratingLostHeartbeats(opts.ConnectionOptions,
		opts.MetricsHandler.Counter(lostHeartbeats))
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
		prefer: func(context.Context, string) {}, train: func() error { return nil },
		encrypted: keys.Any(), unreadable: tasks, cloud: onCloud(opts),
	}, nil
}

// dialIfAny connects for a verb that also works without a server: srv is then nil.
// unfinished is the state of a sweep that has runs to train and is not known to be
// running: idle if there is no server, and unknown, with a note to the user, if
// the server that was named does not answer.
func (c *connection) dialIfAny(ctx context.Context, env *environment, dir string) (
	srv *server, unfinished plan.Status) {

	srv, err := c.dial(ctx, env, dir, nil)
	if err == nil || errors.Is(err, errNoServer) {
		return srv, plan.Idle
	}
	fmt.Fprintf(env.errOut, "note: what follows is what the store tells: %v\n", err)
	return nil, plan.Unknown
}
