//go:build !noserver

package local

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

// childEnv is an environment variable that names a state directory. With it, the process
// runs a workflow on that directory instead of the tests.
const childEnv = "SWEEP_LOCAL_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

// start runs a server on dir, which is stopped at the end of the test. It has no Web UI
// and takes any port, unless change, which may be nil, changes the options.
func start(t *testing.T, dir string, change func(*Options)) *Server {
	t.Helper()
	o := Options{Dir: dir, GRPCPort: -1, UIPort: -1, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if change != nil {
		change(&o)
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return s
}

// dial connects to a server. The connection is closed at the end of the test.
func dial(t *testing.T, s *Server, namespace string) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{
		HostPort: s.HostPort, Namespace: namespace, Logger: silent(),
		ConnectionOptions: client.ConnectionOptions{TLS: s.TLS},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// silent returns a logger that discards everything.
func silent() sdklog.Logger { return sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)) }

// testTimeout is far above what any step of a test takes.
const testTimeout = 4 * time.Minute

// eventually polls until ok returns true: the server does some things in the background.
func eventually(t *testing.T, what string, ok func(context.Context) (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		done, err := ok(ctx)
		if done {
			return
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatalf("%s: not in time; last error: %v", what, err)
		}
	}
}
