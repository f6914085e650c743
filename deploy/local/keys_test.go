//go:build !noserver

package local

import (
	"bytes"
	"crypto/tls"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
)

// readKeys reads the files of a folder of keys, by name.
func readKeys(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, keysName))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(keyFile(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	return out
}

func mustPrepareKeys(t *testing.T, dir string, now time.Time) map[string]string {
	t.Helper()
	if err := prepareKeys(dir, now); err != nil {
		t.Fatal(err)
	}
	if err := checkKeys(dir, now); err != nil {
		t.Fatalf("what was made is not good: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("beside the keys: %v, %v", entries, err)
	}
	return readKeys(t, dir)
}

// Keys stay, until something is wrong with them: then all are made again.
func TestPrepareKeys(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		spoil func(dir string) error
		later time.Duration
		kept  bool
	}{
		"good":             {kept: true},
		"over a year left": {later: keysLast - keysRenewed - time.Hour, kept: true},
		"a year left":      {later: keysLast - keysRenewed + time.Hour},
		"expired":          {later: keysLast + time.Hour},
		"clock set back":   {later: -2 * clockSkew},
		"no folder":        {spoil: func(dir string) error { return os.RemoveAll(filepath.Join(dir, keysName)) }},
		"no authority":     {spoil: func(dir string) error { return os.Remove(keyFile(dir, caFile)) }},
		"no client key":    {spoil: func(dir string) error { return os.Remove(keyFile(dir, clientKey)) }},
		"empty":            {spoil: func(dir string) error { return os.Truncate(keyFile(dir, serverCert), 0) }},
		"half":             {spoil: func(dir string) error { return os.Truncate(keyFile(dir, serverKey), 60) }},
		"of another":       {spoil: func(dir string) error { return mix(dir, caFile) }},
		"another client":   {spoil: func(dir string) error { return mix(dir, clientCert, clientKey) }},
		"readable":         {spoil: func(dir string) error { return os.Chmod(keyFile(dir, clientKey), 0o640) }},
		"readable folder":  {spoil: func(dir string) error { return os.Chmod(keyFile(dir, "."), 0o755) }},
		"a file": {spoil: func(dir string) error {
			folder := filepath.Join(dir, keysName)
			if err := os.RemoveAll(folder); err != nil {
				return err
			}
			return os.WriteFile(folder, nil, 0o600)
		}},
		"killed while they were made": {spoil: func(dir string) error {
			tmp := filepath.Join(dir, keysName+".tmp")
			if err := os.Rename(filepath.Join(dir, keysName), tmp); err != nil {
				return err
			}
			return os.Remove(filepath.Join(tmp, clientKey))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			before := mustPrepareKeys(t, dir, now)
			if len(before) != len(keyNames()) {
				t.Errorf("%d files; want %d", len(before), len(keyNames()))
			}
			if c.spoil != nil {
				if err := c.spoil(dir); err != nil {
					t.Fatal(err)
				}
			}
			after := mustPrepareKeys(t, dir, now.Add(c.later))
			if kept := maps.Equal(before, after); kept != c.kept {
				t.Errorf("kept: %t; want %t", kept, c.kept)
			}
			for name, content := range after {
				if !c.kept && content == before[name] {
					t.Errorf("%s is of the old set", name)
				}
			}
		})
	}
}

// mix puts files of another set among the keys of dir.
func mix(dir string, names ...string) error {
	files, err := makeKeys(time.Now())
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := os.WriteFile(keyFile(dir, name), files[name], 0o600); err != nil {
			return err
		}
	}
	return nil
}

// A folder named keys that is somebody else's stays as it is.
func TestForeignKeysStay(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, keysName, "piano.txt")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("88"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := prepareKeys(dir, time.Now())
	if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "--dir") {
		t.Errorf("%v; want an error that names %s", err, file)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "88" {
		t.Errorf("%q, %v", b, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// No key of the authority is stored: each private key is that of one of the two certificates.
func TestAuthorityKeyIsGone(t *testing.T) {
	files, err := makeKeys(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	for _, content := range files {
		keys += bytes.Count(content, []byte("BEGIN PRIVATE KEY"))
	}
	for _, pair := range [][2]string{{serverCert, serverKey}, {clientCert, clientKey}} {
		if _, err := tls.X509KeyPair(files[pair[0]], files[pair[1]]); err != nil {
			t.Error(err)
		}
	}
	if keys != 2 {
		t.Errorf("%d private keys; want 2", keys)
	}
}

// A client with the server's certificate is refused, as is a server with the client's.
func TestRolesDiffer(t *testing.T) {
	dir := t.TempDir()
	mustPrepareKeys(t, dir, time.Now())
	server, err := serverTLS(dir)
	if err != nil {
		t.Fatal(err)
	}
	client, err := clientTLS(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := shake(t, server, client); err != nil {
		t.Errorf("with the right keys: %v", err)
	}
	swapped := client.Clone()
	swapped.Certificates = server.Certificates
	if err := shake(t, server, swapped); err == nil {
		t.Error("the server's certificate is good for a client")
	}
	swapped = server.Clone()
	swapped.Certificates = client.Certificates
	if err := shake(t, swapped, client); err == nil {
		t.Error("the client's certificate is good for a server")
	}
}

// shake makes a connection and sends a byte from server to client.
func shake(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	l, err := net.Listen("tcp", hostPort(0))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		tls.Server(c, server).Write([]byte{1})
	}()
	c, err := tls.Dial("tcp", l.Addr().String(), client)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = io.ReadFull(c, make([]byte, 1))
	return err
}

// A program that knows nothing but the file in Temporal's format connects, and one without it
// learns why it cannot.
func TestProfile(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, nil)
	opts := profileOptions(t, s.Profile)
	c, err := client.DialContext(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if opts.HostPort != s.HostPort || opts.Namespace != DefaultNamespace {
		t.Errorf("%s, %s; want %s, %s", opts.HostPort, opts.Namespace, s.HostPort, DefaultNamespace)
	}
	if got, ok := ProfileDir(s.Profile); !ok || got != dir {
		t.Errorf("ProfileDir = %s, %t; want %s", got, ok, dir)
	}
	if c, err := client.DialContext(t.Context(), client.Options{HostPort: s.HostPort, Logger: silent()}); err == nil {
		c.Close()
		t.Error("a client without keys has connected")
	}
	if got := Ask(t.Context(), s.HostPort); got != TakesKeys {
		t.Errorf("Ask = %v; want %v", got, TakesKeys)
	}
}

type noVariables struct{}

func (noVariables) Environ() []string               { return nil }
func (noVariables) LookupEnv(string) (string, bool) { return "", false }

// A file of the user's own is none of a server's, whatever its name is.
func TestOwnProfile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, profileName)
	if err := os.WriteFile(file, []byte("[profile.default]\naddress = \"temporal:7233\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", file, filepath.Join(dir, "none", profileName), dir} {
		if got, ok := ProfileDir(name); ok {
			t.Errorf("ProfileDir(%q) = %s", name, got)
		}
	}
}

func TestAt(t *testing.T) {
	info := Info{HostPort: "127.0.0.1:7233"}
	for address, want := range map[string]bool{
		"127.0.0.1:7233": true, "localhost:7233": true, "LOCALHOST:7233": true,
		"127.0.0.1:7234": false, "temporal:7233": false, "localhost": false, "": false, "10.0.0.1:7233": false,
	} {
		if got := info.At(address); got != want {
			t.Errorf("At(%q) = %t", address, got)
		}
	}
	if (Info{}).At("") {
		t.Error("a server without an address is at one")
	}
}

// Keys are read only of a server that has them: one of an earlier version has no TLS.
func TestClientTLSOfEarlierServer(t *testing.T) {
	if keys, err := (Info{dir: t.TempDir()}).ClientTLS(); keys != nil || err != nil {
		t.Errorf("%v, %v", keys, err)
	}
	if _, err := (Info{TLS: true, dir: t.TempDir()}).ClientTLS(); err == nil {
		t.Error("no error without keys")
	}
}
