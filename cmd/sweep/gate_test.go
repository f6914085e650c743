//go:build !noserver

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"math/big"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // clients compress
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/topksweep/sweep/deploy/local"
)

// A gate stands before a real Temporal server as Temporal Cloud's does: it speaks TLS, and lets through calls that
// bring a key it knows. It counts the calls.
type gate struct {
	address   string
	authority *authority
	make      func() *grpc.Server
	front     *grpc.Server

	mu     sync.Mutex
	keys   map[string]bool
	denied map[string]bool // methods that no key may call
	calls  map[string]int  // let through, by method
	brings map[string]int  // calls by key, also of keys that it does not know
	serial map[string]bool // of the certificates that clients had
}

// startGate starts a gate before the server of sweep up. with has the certificate of the gate, and what it wants of
// clients; nil is a sound certificate, and nothing.
func startGate(t *testing.T, info local.Info, authority *authority, with *tls.Config, keys ...string) *gate {
	t.Helper()
	if with == nil {
		with = &tls.Config{Certificates: []tls.Certificate{authority.certificate(t, time.Hour)}}
	}
	inner, err := info.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	server, err := grpc.NewClient(info.HostPort, grpc.WithTransportCredentials(credentials.NewTLS(inner)),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{authority: authority, keys: map[string]bool{}, denied: map[string]bool{}, calls: map[string]int{},
		brings: map[string]int{}, serial: map[string]bool{}}
	for _, k := range keys {
		g.keys[k] = true
	}
	g.make = func() *grpc.Server {
		return grpc.NewServer(grpc.Creds(credentials.NewTLS(with)), grpc.ForceServerCodec(rawCodec{}),
			grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error { return g.pass(s, server) }))
	}
	g.serve(t, "127.0.0.1:0")
	t.Cleanup(func() { g.front.Stop(); server.Close() })
	return g
}

func (g *gate) serve(t *testing.T, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	g.address, g.front = listener.Addr().String(), g.make()
	go g.front.Serve(listener)
}

// restart ends all connections, and takes new ones at the same address.
func (g *gate) restart(t *testing.T) {
	t.Helper()
	g.front.Stop()
	g.serve(t, g.address)
}

// pass passes one call on. A refusal tells the key, which no program is to show.
func (g *gate) pass(s grpc.ServerStream, server *grpc.ClientConn) error {
	full, _ := grpc.MethodFromServerStream(s)
	method := path.Base(full)
	md, _ := metadata.FromIncomingContext(s.Context())
	key := strings.TrimPrefix(strings.Join(md.Get("authorization"), ""), "Bearer ")
	g.mu.Lock()
	known := len(g.keys) == 0 || g.keys[key]
	refused := !known || g.denied[method]
	g.brings[key]++
	if by, ok := peer.FromContext(s.Context()); ok {
		for _, c := range by.AuthInfo.(credentials.TLSInfo).State.PeerCertificates {
			g.serial[c.SerialNumber.String()] = true
		}
	}
	if !refused {
		g.calls[method]++
	}
	g.mu.Unlock()
	if refused {
		return status.Error(codes.PermissionDenied, "Request unauthorized: "+key)
	}
	var in, out []byte
	if err := s.RecvMsg(&in); err != nil {
		return err
	}
	if err := server.Invoke(metadata.NewOutgoingContext(s.Context(), metadata.MD{}), full, &in, &out); err != nil {
		return err
	}
	return s.SendMsg(&out)
}

// set changes which keys the gate knows and which methods it refuses.
func (g *gate) set(change func(keys, denied map[string]bool)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g.keys, g.denied)
}

// broughtBy counts the calls that brought a key.
func (g *gate) broughtBy(key string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.brings[key]
}

// certificates returns the serial numbers of the certificates that clients had.
func (g *gate) certificates() map[string]bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.serial)
}

// counted returns the calls that were let through, by method.
func (g *gate) counted() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.calls)
}

// rawCodec leaves messages as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error)          { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) (_ error) { *v.(*[]byte) = data; return }
func (rawCodec) Name() string                           { return "proto" }

// An authority signs certificates.
type authority struct {
	file string // its certificate, in PEM
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(t.TempDir(), "ca.crt")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var der []byte
	a.key, der = sign(t, template, template, nil)
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

// sign makes a key, and a certificate of it that by signs with its own key; nil stands for the key that is made.
func sign(t *testing.T, c, by *x509.Certificate, with *ecdsa.PrivateKey) (key *ecdsa.PrivateKey, der []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if with == nil {
		with = key
	}
	if der, err = x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, with); err != nil {
		t.Fatal(err)
	}
	return key, der
}

// files writes a certificate for servers on loopback and for clients, and its key. It ends after a time; one that is
// negative has ended.
func (a *authority) files(t *testing.T, folder string, ends time.Duration) (cert, key string) {
	t.Helper()
	k, der := sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(ends),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, a.key)
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(folder, "test.crt"), filepath.Join(folder, "test.key")
	writePEM(t, cert, "CERTIFICATE", der)
	writePEM(t, key, "PRIVATE KEY", secret)
	return cert, key
}

func (a *authority) certificate(t *testing.T, ends time.Duration) tls.Certificate {
	t.Helper()
	c, err := tls.LoadX509KeyPair(a.files(t, t.TempDir(), ends))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pool is what trusts the authority.
func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func writePEM(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// makeNamespace makes a namespace, without any search attribute of sweeps.
func makeNamespace(t *testing.T, info local.Info, name string) {
	t.Helper()
	c := dialServer(t, info)
	_, err := c.WorkflowService().RegisterNamespace(context.Background(), &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the namespace "+name, func() bool {
		_, err := c.WorkflowService().CountWorkflowExecutions(context.Background(),
			&workflowservice.CountWorkflowExecutionsRequest{Namespace: name})
		return err == nil
	})
}
