//go:build !noserver

package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The directory's name has all characters that need escapes in a database URI.
func TestStartStopStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my sweeps #1?%41")
	if info, ok, err := Running(dir); ok || err != nil {
		t.Fatalf("before the first start: Running = %v, %v, %v", info, ok, err)
	}
	var s *Server
	for range 2 {
		s = start(t, dir, nil)
		info, ok, err := Running(dir)
		if err != nil || !ok || info.PID != os.Getpid() || info.HostPort != s.HostPort ||
			info.Namespace != DefaultNamespace {
			t.Errorf("Running = %+v, %v, %v; want this process at %s", info, ok, err, s.HostPort)
		}
		for range 2 { // the second call does nothing
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		if info, ok, err := Running(dir); ok || err != nil {
			t.Errorf("after Stop: Running = %v, %v, %v", info, ok, err)
		}
		if c, err := net.Dial("tcp", s.HostPort); err == nil {
			c.Close()
			t.Errorf("%s still accepts connections after Stop", s.HostPort)
		}
	}
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v; want mode 0700", st.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		want := os.FileMode(0o600)
		if e.IsDir() { // the keys
			want = os.ModeDir | 0o700
		}
		if st, err := e.Info(); err != nil || st.Mode() != want {
			t.Errorf("%s: %v, %v; want mode %v", e.Name(), st.Mode(), err, want)
		}
		if e.Name() == infoName {
			t.Errorf("%s is left after Stop", infoName)
		}
	}
	if st, err := os.Stat(filepath.Join(dir, dbName+"-wal")); err == nil && st.Size() != 0 {
		t.Errorf("%d bytes are left in the write-ahead log after Stop", st.Size())
	}
}

func TestOneServerPerDatabase(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, nil)
	_, err := Start(t.Context(), Options{Dir: dir})
	var inUse *InUseError
	if !errors.As(err, &inUse) || inUse.Info.HostPort != s.HostPort {
		t.Fatalf("second Start = %v; want an InUseError with %s", err, s.HostPort)
	}
	for _, want := range []string{filepath.Join(dir, dbName), strconv.Itoa(os.Getpid()), s.HostPort, "--dir"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
	if _, ok, err := Running(dir); !ok || err != nil {
		t.Errorf("the refused Start disturbed the first server: Running = %v, %v", ok, err)
	}
}

// A server can start on a directory while another goroutine calls Running all the time.
func TestRunningDoesNotBlockStart(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if _, _, err := Running(dir); err != nil {
				t.Error(err)
				return
			}
			runtime.Gosched()
		}
	}()
	for range 20 {
		f, err := lockDir(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	cancel()
	<-done
}

// Running goes by the lock, not by the server.json that a killed process leaves.
func TestStaleInfoIsIgnored(t *testing.T) {
	dir := t.TempDir()
	b, err := json.Marshal(Info{PID: 1, HostPort: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{infoName, lockName} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if info, ok, err := Running(dir); ok || err != nil {
		t.Errorf("Running = %+v, %v, %v; want none", info, ok, err)
	}
}

func TestCancelledStart(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("cancelled by the user")
	cancel(cause)
	dir := t.TempDir()
	s, err := Start(ctx, Options{Dir: dir, GRPCPort: -1, UIPort: -1})
	if err == nil {
		s.Stop()
		t.Fatal("Start succeeded although its context had ended")
	}
	if !errors.Is(err, cause) {
		t.Errorf("%v lacks the cause of the cancellation", err)
	}
	if _, ok, err := Running(dir); ok || err != nil {
		t.Errorf("Running = %v, %v after a cancelled start", ok, err)
	}
	start(t, dir, nil)
}

func TestWebUI(t *testing.T) {
	s := start(t, t.TempDir(), func(o *Options) { o.UIPort = 0 })
	get := func(path string) (int, http.Header, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.UIURL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, r.Header, string(b)
	}
	code, h, body := get("/")
	if kind := h.Get("Content-Type"); code != http.StatusOK || !strings.Contains(kind, "text/html") ||
		!strings.Contains(body, "<script") {
		t.Errorf("GET / = %d %s, %d bytes; want a page", code, kind, len(body))
	}
	code, _, body = get("/api/v1/namespaces/" + DefaultNamespace)
	if code != http.StatusOK || !strings.Contains(body, `"2592000s"`) {
		t.Errorf("GET namespace = %d %s; want the retention of 30 days", code, body)
	}
	if !strings.HasPrefix(s.UIURL, "http://127.0.0.1:") {
		t.Errorf("UI at %s; want loopback", s.UIURL)
	}
	at, err := url.Parse(s.UIURL)
	if err != nil {
		t.Fatal(err)
	}
	onlyLoopback(t, s.HostPort, at.Host)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

// onlyLoopback checks that no other interface of the machine answers on the ports of addrs.
func onlyLoopback(t *testing.T, addrs ...string) {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.IsLoopback() || n.IP.To4() == nil {
			continue
		}
		for _, addr := range addrs {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				t.Fatal(err)
			}
			c, err := net.DialTimeout("tcp", net.JoinHostPort(n.IP.String(), port), 5*time.Second)
			if err == nil {
				c.Close()
				t.Errorf("%s answers on port %s", n.IP, port)
			}
		}
	}
}

// The Temporal server leaks goroutines with every stop. None of them may be of this
// package.
func TestStopLeavesNoGoroutine(t *testing.T) {
	s := start(t, t.TempDir(), func(o *Options) { o.UIPort = 0 })
	r, err := http.Get(s.UIURL)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	noGoroutine(t)
}

// noGoroutine waits until no goroutine of this package is left.
func noGoroutine(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for left := ownGoroutines(); len(left) > 0; left = ownGoroutines() {
		select {
		case <-ctx.Done():
			t.Fatalf("still running:\n%s", strings.Join(left, "\n\n"))
		case <-tick.C:
		}
	}
}

// ownGoroutines returns the stacks of the goroutines that run code of this package, but
// for those of the tests.
func ownGoroutines() (stacks []string) {
	buf := make([]byte, 16<<20)
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		test := strings.Contains(g, "testing.tRunner") || strings.Contains(g, "testing.Main")
		if strings.Contains(g, "deploy/local.") && !test {
			stacks = append(stacks, g)
		}
	}
	return stacks
}

// If a port is taken just before the server opens it, launch returns an error and the
// process goes on.
func TestFatalEndsOnlyTheGoroutine(t *testing.T) {
	l, err := listen("a test", loopback, -1, 0, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p, err := findPorts(loopback, -1, 0, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p.matching = portOf(l) // taken after findPorts found it free
	dir := t.TempDir()
	file := filepath.Join(dir, dbName)
	if err := prepareDatabase(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	user := slog.New(slog.NewTextHandler(&logged, nil))
	if err := prepareKeys(dir, time.Now()); err != nil {
		t.Fatal(err)
	}
	keys, err := tlsOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = launch(temporalConfig(sqlConfig(file), p), p, keys, true, 0, slog.New(slog.DiscardHandler), user)
	var fatal *fatalError
	if !errors.As(err, &fatal) || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("launch = %v; want a fatalError about the address", err)
	}
	if logged.Len() != 0 {
		t.Errorf("the user's log has an error after which Start tries again: %s", logged.String())
	}
}

func TestContain(t *testing.T) {
	if err := contain(func() error { panic("boom") }); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Errorf("a panic became %v", err)
	}
	if err := contain(func() error { runtime.Goexit(); return nil }); !errors.Is(err, errExited) {
		t.Errorf("an exit became %v", err)
	}
	if err := contain(func() error { return io.EOF }); err != io.EOF {
		t.Errorf("an error became %v", err)
	}
}

// After a crash the next server takes the same port, so that clients find it.
func TestPortAfterCrash(t *testing.T) {
	dir := t.TempDir()
	l, err := listen("a test", loopback, -1, 0, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	before := l.Addr().String()
	l.Close()
	if err := writeInfo(dir, Info{PID: 1, HostPort: before}); err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context(), Options{Dir: dir, UIPort: -1})
	if err != nil {
		t.Fatal(err)
	}
	if s.HostPort != before {
		t.Errorf("at %s, before at %s", s.HostPort, before)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}
