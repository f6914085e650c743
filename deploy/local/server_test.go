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
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The name of the directory has in it all that a database URI would trip over.
func TestStartStopStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my sweeps #1?%41")
	if info, ok, err := Running(dir); ok || err != nil {
		t.Fatalf("before the first start: Running = %v, %v, %v", info, ok, err)
	}
	var s *Server
	for range 2 {
		s = start(t, dir, nil)
		info, ok, err := Running(dir)
		if err != nil || !ok || info.PID != os.Getpid() || info.HostPort != s.HostPort || info.Namespace != DefaultNamespace {
			t.Errorf("Running = %+v, %v, %v; want this process at %s", info, ok, err, s.HostPort)
		}
		for range 2 { // the second does nothing
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		if info, ok, err := Running(dir); ok || err != nil {
			t.Errorf("after Stop: Running = %v, %v, %v", info, ok, err)
		}
		if c, err := net.Dial("tcp", s.HostPort); err == nil {
			c.Close()
			t.Errorf("%s still takes connections after Stop", s.HostPort)
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
		if st, err := e.Info(); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", e.Name(), st.Mode(), err)
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

// Probing a directory again and again must not keep a server from starting there.
func TestRunningDoesNotBlockStart(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	probing := make(chan struct{})
	go func() {
		defer close(probing)
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
	<-probing
}

func TestStaleInfoIsNotBelieved(t *testing.T) {
	dir := t.TempDir()
	b, err := json.Marshal(Info{PID: 1, HostPort: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{infoName, lockName} { // what a killed process leaves
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
	cause := errors.New("the user has thought better of it")
	cancel(cause)
	dir := t.TempDir()
	s, err := Start(ctx, Options{Dir: dir, GRPCPort: -1, UIPort: -1})
	if err == nil {
		s.Stop()
		t.Fatal("Start went on without a context")
	}
	if !errors.Is(err, cause) {
		t.Errorf("%v: nothing of why it was canceled", err)
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
	if code, h, body := get("/"); code != http.StatusOK || !strings.Contains(h.Get("Content-Type"), "text/html") || !strings.Contains(body, "<script") {
		t.Errorf("GET / = %d %s, %d bytes; want a page", code, h.Get("Content-Type"), len(body))
	}
	if code, _, body := get("/api/v1/namespaces/" + DefaultNamespace); code != http.StatusOK || !strings.Contains(body, `"2592000s"`) {
		t.Errorf("GET namespace = %d %s; want the retention of 30 days", code, body)
	}
	if !strings.HasPrefix(s.UIURL, "http://127.0.0.1:") {
		t.Errorf("UI at %s; want loopback", s.UIURL)
	}
	onlyLoopback(t, s.HostPort, strings.TrimPrefix(s.UIURL, "http://"))
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

// onlyLoopback checks that no other interface of the machine answers on the ports.
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

// The server leaks goroutines with every stop; none of them may be ours.
func TestStopLeavesNoGoroutineOfOurs(t *testing.T) {
	s := start(t, t.TempDir(), func(o *Options) { o.UIPort = 0 })
	r, err := http.Get(s.UIURL)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	noGoroutineOfOurs(t)
}

// noGoroutineOfOurs waits for goroutines that have done their work to end: one that
// never does is left behind.
func noGoroutineOfOurs(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for left := goroutinesOfOurs(); len(left) > 0; left = goroutinesOfOurs() {
		select {
		case <-ctx.Done():
			t.Fatalf("left behind:\n%s", strings.Join(left, "\n\n"))
		case <-tick.C:
		}
	}
}

func goroutinesOfOurs() (stacks []string) {
	buf := make([]byte, 16<<20)
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "deploy/local.") && !strings.Contains(g, "testing.tRunner") && !strings.Contains(g, "testing.Main") {
			stacks = append(stacks, g)
		}
	}
	return stacks
}

// A port that is taken at the last moment costs a try, not the process.
func TestFatalEndsOnlyTheGoroutine(t *testing.T) {
	l, err := listen("a test", -1, 0, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p, err := findPorts(-1, 0, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p.matching = portOf(l) // taken between looking and opening
	dir := t.TempDir()
	file := filepath.Join(dir, dbName)
	if err := prepareDatabase(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	_, err = launch(temporalConfig(sqlConfig(file), p), p, slog.New(slog.DiscardHandler), slog.New(slog.NewTextHandler(&told, nil)))
	var fatal *fatalError
	if !errors.As(err, &fatal) || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("launch = %v; want a fatalError about the address", err)
	}
	if told.Len() != 0 {
		t.Errorf("the user was told of what Start tries again: %s", told.String())
	}
}

func TestWebUIGivesUpWithItsContext(t *testing.T) {
	l, err := listen("a test", -1, 0, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := startWebUI(ctx, l, hostPort(1), DefaultNamespace, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("started without a context")
	}
	noGoroutineOfOurs(t)
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

// Who was connected to a server that crashed finds the next one.
func TestPortAfterCrash(t *testing.T) {
	dir := t.TempDir()
	l, err := listen("a test", -1, 0, slog.New(slog.DiscardHandler))
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
