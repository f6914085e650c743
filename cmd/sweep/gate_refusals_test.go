//go:build !noserver

package main

import (
	"bytes"
	"crypto/tls"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Each reason for which a server of others cannot be used ends a verb with one line that says what to do, and shows no
// key. A key never goes over a connection without TLS.
func TestServerRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, info := startServer(t, dir, "--slots", "1", "--no-report")
	p := secretsOf("key", "wrong key")
	key, wrong := p["key"], p["wrong key"]
	good, foreign := newAuthority(t), newAuthority(t)
	byKey := startGate(t, info, good, nil, key)
	ended := startGate(t, info, good, &tls.Config{Certificates: []tls.Certificate{good.certificate(t, -time.Hour)}}, key)
	byCertificate := startGate(t, info, good, mutual(t, good))
	plain := startPlain(t)

	at := func(address string, more ...string) variables {
		return append(variables{"TEMPORAL_ADDRESS=" + address, "TEMPORAL_TLS_SERVER_CA_CERT_PATH=" + good.file}, more...)
	}
	pair := func(by *authority, ends time.Duration) []string {
		cert, key := by.files(t, t.TempDir(), ends)
		return []string{"TEMPORAL_TLS_CLIENT_CERT_PATH=" + cert, "TEMPORAL_TLS_CLIENT_KEY_PATH=" + key}
	}
	apiKey := "TEMPORAL_API_KEY=" + key
	_, port, _ := net.SplitHostPort(byKey.address)
	for name, c := range map[string]struct {
		v      variables
		status int
		want   []string
	}{
		"wrong key": {at(byKey.address, "TEMPORAL_API_KEY="+wrong), exitError,
			[]string{"refuses the API key", "TEMPORAL_API_KEY"}},
		"no key": {at(byKey.address), exitError, []string{"without a key", "TEMPORAL_API_KEY"}},
		"no namespace": {at(byKey.address, apiKey, "TEMPORAL_NAMESPACE=nowhere"), exitError,
			[]string{"no namespace nowhere", "TEMPORAL_NAMESPACE"}},
		"foreign authority": {at(byKey.address, apiKey, "TEMPORAL_TLS_SERVER_CA_CERT_PATH="+foreign.file), exitError,
			[]string{"authority", "TEMPORAL_TLS_SERVER_CA_CERT_PATH"}},
		"other name": {at("localhost:"+port, apiKey), exitError,
			[]string{"is for 127.0.0.1", "TEMPORAL_TLS_SERVER_NAME"}},
		"certificate of the server has ended": {at(ended.address, apiKey), exitError, []string{"certificate holds from",
			"renew it"}},
		"no TLS here":  {variables{"TEMPORAL_ADDRESS=" + byKey.address}, exitError, []string{"TEMPORAL_TLS=true"}},
		"no TLS there": {at(plain.address, apiKey), exitError, []string{"does not speak TLS"}},
		"key in clear": {variables{"TEMPORAL_ADDRESS=" + plain.address, apiKey, "TEMPORAL_TLS=false"}, exitBadInput,
			[]string{"TEMPORAL_TLS=true", "TEMPORAL_API_KEY"}},
		"key in clear, as a header": {variables{"TEMPORAL_ADDRESS=" + plain.address,
			"TEMPORAL_GRPC_META_AUTHORIZATION=Bearer " + key}, exitBadInput, []string{"TEMPORAL_TLS=true"}},
		"no certificate": {at(byCertificate.address), exitError, []string{"TEMPORAL_TLS_CLIENT_CERT_PATH"}},
		"certificate has ended": {at(byCertificate.address, pair(good, -time.Hour)...), exitError,
			[]string{"this program's certificate", "holds from", "renew it"}},
		"certificate of others": {at(byCertificate.address, pair(foreign, time.Hour)...), exitError,
			[]string{"refuses this program's certificate", "TEMPORAL_TLS_CLIENT_CERT_PATH"}},
		"certificate without its key": {at(byCertificate.address, pair(good, time.Hour)[0]), exitBadInput,
			[]string{"client cert or key"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := []*program{
				c.v.start(t, t.TempDir(), "submit", writeGrid(t, demoGrid)), c.v.start(t, t.TempDir(), "worker", "--slots", "1"),
			}
			for _, s := range started {
				if status := s.exitStatus(t); status != c.status {
					t.Errorf("%v: status %d, want %d", s.Args[1:], status, c.status)
				}
				said := s.err.String()
				missing := slices.DeleteFunc(slices.Clone(c.want), func(w string) bool { return strings.Contains(said, w) })
				if len(missing) > 0 || strings.Count(said, "sweep: ") != 1 || strings.Count(said, "\n") != 1 {
					t.Errorf("%v: want one line with %q:\n%s", s.Args[1:], missing, said)
				}
			}
			p.said(t, started...)
		})
	}
	t.Cleanup(func() { // the headers of HTTP/2, with the key, would be packed
		if b := plain.got.Load(); b == nil || bytes.Contains(*b, []byte("HTTP/2")) {
			t.Errorf("want greetings of TLS, and no call, to the server without TLS: %q", b)
		}
	})
}

// mutual is what a server wants that takes only clients with a certificate of an authority.
func mutual(t *testing.T, a *authority) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{a.certificate(t, time.Hour)}, ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs: a.pool(),
	}
}

// A plainServer takes connections, reads what comes first, and ends them.
type plainServer struct {
	address string
	got     atomic.Pointer[[]byte] // by all connections together; nil without one
}

func startPlain(t *testing.T) *plainServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s := &plainServer{address: listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 4096)
			n, _ := conn.Read(b)
			all := b[:n]
			if before := s.got.Load(); before != nil {
				all = append(slices.Clone(*before), all...)
			}
			s.got.Store(&all)
			conn.Close()
		}
	}()
	return s
}

// A worker with a client certificate trains, and goes on with the certificate that replaces it on the disk.
func TestClientCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	dir, away, keys := t.TempDir(), t.TempDir(), t.TempDir()
	_, info := startServer(t, dir, "--slots", "1", "--no-report")
	makeNamespace(t, info, "research")
	a := newAuthority(t)
	g := startGate(t, info, a, mutual(t, a))
	cert, key := a.files(t, keys, time.Hour)
	v := variables{"TEMPORAL_ADDRESS=" + g.address, "TEMPORAL_NAMESPACE=research", "SWEEP_STORE=" + away,
		"TEMPORAL_TLS_SERVER_CA_CERT_PATH=" + a.file, "TEMPORAL_TLS_CLIENT_CERT_PATH=" + cert,
		"TEMPORAL_TLS_CLIENT_KEY_PATH=" + key}
	worker := v.start(t, away, "worker", "--slots", "2")
	waitFor(t, "the worker", func() bool { return g.counted()["PollActivityTaskQueue"] > 0 })
	if n := len(g.certificates()); n != 1 {
		t.Fatalf("the worker has %d certificates", n)
	}
	if err := os.WriteFile(cert, []byte("half of a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	calls := g.counted()["PollActivityTaskQueue"]
	g.restart(t)
	waitFor(t, "the worker with the certificate that it has read", func() bool {
		return g.counted()["PollActivityTaskQueue"] > calls
	})
	a.files(t, keys, time.Hour)
	g.restart(t)
	waitFor(t, "the renewed certificate of the worker", func() bool { return len(g.certificates()) == 2 })
	quick := writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 50"))
	if table := v.run(t, away, "submit", quick, "--wait"); strings.Count(table, "completed") != 4 {
		t.Errorf("submit --wait:\n%s", table)
	}
	worker.terminate(t)
}
