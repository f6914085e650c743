package local

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"go.temporal.io/api/enums/v1"
)

// The ports that are tried first: those of Temporal's own development server, so
// that the temporal command and bookmarks work without flags.
const (
	DefaultGRPCPort = 7233
	DefaultUIPort   = 8233
)

// Defaults of the options of the same names.
const (
	DefaultNamespace = "default"
	DefaultRetention = 30 * 24 * time.Hour
)

// minRetention is the server's own lower bound for a namespace that is not replicated.
const minRetention = time.Hour

// ErrNoServer is what Start reports in a binary built with the tag noserver.
var ErrNoServer = errors.New("this binary was built without the embedded Temporal server (build tag noserver); " +
	"give the address of a running one with --address or TEMPORAL_ADDRESS")

// Options say where a server keeps its state and how it can be reached. Only Dir
// is required.
type Options struct {
	// Dir holds the state; it is created with mode 0700. One server at a time may use it.
	Dir string
	// GRPCPort is where clients and workers connect. 0 takes DefaultGRPCPort, or that
	// of a server that crashed on Dir, if it is free and any free port otherwise; a
	// negative value takes any free port; a positive one takes that port or fails.
	GRPCPort int
	// UIPort is the Web UI's, chosen likewise with DefaultUIPort, except that a
	// negative value runs no Web UI.
	UIPort int
	// Namespace to work in; created if missing. DefaultNamespace if empty.
	Namespace string
	// Retention is how long finished workflows stay visible, at least an hour.
	// A namespace that exists is changed to it. DefaultRetention if zero.
	Retention time.Duration
	// SearchAttributes that queries may use. Missing ones are added to a namespace
	// that exists; none is removed. SQLite has room for 10 of type Keyword and 3 each of
	// Bool, Datetime, Double, Int, KeywordList and Text.
	SearchAttributes map[string]enums.IndexedValueType
	// Logger is told what a user may want to know, such as a port that was busy. The
	// server's own log goes to temporal.log in Dir. Nil discards.
	Logger *slog.Logger
}

// withDefaults resolves zero values and checks the rest.
func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("local: Options.Dir is empty")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, err
	}
	o.Dir = dir
	for _, p := range []int{o.GRPCPort, o.UIPort} {
		if p > 65535 {
			return o, fmt.Errorf("local: port %d is larger than 65535", p)
		}
	}
	if o.GRPCPort > 0 && o.GRPCPort == o.UIPort {
		return o, fmt.Errorf("local: port %d asked for both gRPC and the Web UI", o.GRPCPort)
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	if o.Retention < minRetention {
		return o, fmt.Errorf("local: retention %v is shorter than %v", o.Retention, minRetention)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// Server is a running server. Its addresses are loopback addresses.
type Server struct {
	HostPort string // gRPC, for Temporal clients and workers
	UIURL    string // Web UI, empty if there is none

	stop func() error // idempotent
}

// Stop shuts the Web UI and the server down and gives the directory free, in about a
// second. Workflows stay as they are and go on when a server is started again.
// Stop clients and workers first: they would complain of lost connections.
// Further calls return what the first one returned.
func (s *Server) Stop() error { return s.stop() }
