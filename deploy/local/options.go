package local

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"
)

// These ports are tried first. They are those of Temporal's own development server, so
// that the temporal command and bookmarks work without flags.
const (
	DefaultGRPCPort = 7233
	DefaultUIPort   = 8233
)

// These are the defaults of Options.Namespace and Options.Retention.
const (
	DefaultNamespace = "default"
	DefaultRetention = 30 * 24 * time.Hour
)

// minRetention is the shortest retention that the server allows for a namespace that is
// not replicated.
const minRetention = time.Hour

// ErrNoServer is the error of Start in a binary that was built with the tag noserver.
var ErrNoServer = errors.New("this binary was built without the embedded Temporal server (build tag noserver); " +
	"give the address of a running one with --address or TEMPORAL_ADDRESS")

// Options say where a server keeps its state and on which ports it listens. Only Dir is
// required.
type Options struct {
	// Dir is the folder of the state. It is created with mode 0700. Only one server at a
	// time can use it.
	Dir string

	// GRPCPort is the port that clients and workers connect to. A positive value takes
	// that port, and is an error if it is busy. A negative value takes any free port. 0
	// takes the port of a server that crashed on Dir, or else DefaultGRPCPort; if that
	// port is busy, it takes any free one.
	GRPCPort int

	// Listen is an IP address of this machine on which programs of other machines reach the server; empty for the
	// loopback interface alone. Only the port that clients and workers connect to listens there.
	Listen string

	// ClientFiles is a folder for programs on other machines: it gets the keys of clients and a file of Temporal's own
	// format, temporal.toml, which says how to connect. It is created with mode 0700; one that others may enter is an
	// error. Empty for none.
	ClientFiles string

	// UIPort is the port of the Web UI. A positive value takes that port, and is an error
	// if it is busy. 0 takes DefaultUIPort, or any free port if that is busy. With a
	// negative value there is no Web UI.
	UIPort int

	// PayloadCodec decodes what the Web UI shows and encodes the inputs of its updates, where clients and workers have
	// payloads encoded; nil if they do not.
	PayloadCodec converter.PayloadCodec

	// HistoryLimit is the size of a history, in bytes, above which the server ends its workflow; 0 for the server's
	// default, which is 50 MiB. Tests of large sweeps lower it.
	HistoryLimit int

	// Private keeps the address out of server.json: to other processes the server starts or stops for as long as it
	// runs, so that they wait for its end. It is for a server that runs for a moment.
	Private bool

	// Namespace is the namespace of all workflows. It is created if it is missing. Empty
	// stands for DefaultNamespace.
	Namespace string

	// Retention is how long ended workflows stay visible, at least an hour. It also
	// changes a namespace that exists. 0 stands for DefaultRetention.
	Retention time.Duration

	// SearchAttributes are the names that queries may use, with their types. Missing ones
	// are added to a namespace that exists; none is removed. SQLite has room for 10 of
	// type Keyword, and for 3 each of Bool, Datetime, Double, Int, KeywordList and Text.
	// What cannot be added is no error: Server.LeftOut says so.
	SearchAttributes map[string]enums.IndexedValueType

	// Logger gets messages for the user, such as that a port is busy; nil discards them.
	// The server's own log is temporal.log in Dir.
	Logger *slog.Logger

	//lint:ignore U1000 the build without the server does not read it
	withoutFairness bool // as a server of an earlier version was; for tests
}

// withDefaults returns o with the defaults in place of zero values, or an error for a
// value that is out of range.
func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("local: Options.Dir is empty")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, err
	}
	o.Dir = dir
	if o.ClientFiles != "" { // its file names the others, for programs that start in any folder
		if o.ClientFiles, err = filepath.Abs(o.ClientFiles); err != nil {
			return o, err
		}
		for _, own := range []string{o.Dir, filepath.Join(o.Dir, keysName)} {
			if o.ClientFiles == own || sameFile(o.ClientFiles, own) {
				return o, fmt.Errorf("keys for other machines: %s is the server's own folder: name another one", o.ClientFiles)
			}
		}
	}
	for _, p := range []int{o.GRPCPort, o.UIPort} {
		if p > 65535 {
			return o, fmt.Errorf("local: port %d is larger than 65535", p)
		}
	}
	if o.GRPCPort > 0 && o.GRPCPort == o.UIPort {
		return o, fmt.Errorf("local: port %d asked for both gRPC and the Web UI", o.GRPCPort)
	}
	if o.Listen == "" {
		o.Listen = loopback
	}
	if ip, err := netip.ParseAddr(o.Listen); err != nil || ip.IsUnspecified() {
		return o, fmt.Errorf("local: listen on %q: want one IP address of this machine", o.Listen)
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

// loopback is the interface that everything here listens on but for Options.Listen.
const loopback = "127.0.0.1"

// Server is a running server. Its addresses are on the loopback interface, but for Options.Listen.
type Server struct {
	HostPort string // HOST:PORT of gRPC, for Temporal clients and workers; HOST is an IP address
	UIURL    string // URL of the Web UI, with the key that lets its user in; empty if there is none

	// TLS has the keys of clients: the server takes none without.
	TLS *tls.Config

	// Profile is a file of Temporal's own format that says how to connect. Programs with
	// Temporal's SDKs, and the temporal command, read the file that TEMPORAL_CONFIG_FILE names.
	Profile string

	// ClientProfile is such a file for other machines, in Options.ClientFiles; empty without that.
	ClientProfile string

	// LeftOut says which of Options.SearchAttributes the namespace lacks, and why: it has
	// no room for one more of that type, or it has the name with another type.
	LeftOut []error

	setReport func(url string) error
	stop      func() error // idempotent
}

// SetReport tells others, by Info.ReportURL, where the process serves its live report.
func (s *Server) SetReport(url string) error { return s.setReport(url) }

// Stop stops the Web UI and the server and unlocks the directory, in about a second.
// Workflows keep their state and go on when a server is started there again. Clients and
// workers should be stopped first, since they would log lost connections. Further calls
// return what the first one returned.
func (s *Server) Stop() error { return s.stop() }

// sameFile reports whether two names, such as a link and a folder, are of one file that is there.
func sameFile(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}
