//go:build !noserver

package local

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
)

// elsewhere is an address of this machine that is not the one of loopback servers. All of 127.0.0.0/8 is, on Linux.
const elsewhere = "127.0.0.2"

// needElsewhere skips a test where the system has no such address.
func needElsewhere(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", elsewhere+":0")
	if err != nil {
		t.Skip(err)
	}
	l.Close()
}

// A server that listens for other machines takes those that have the files of its clients, wherever these lie, and no
// others. Its Web UI stays on loopback.
func TestListenForOtherMachines(t *testing.T) {
	needElsewhere(t)
	dir, files := t.TempDir(), filepath.Join(t.TempDir(), "shared", "keys")
	s := start(t, dir, func(o *Options) { o.Listen, o.ClientFiles, o.UIPort = elsewhere, files, 0 })
	host, _, err := net.SplitHostPort(s.HostPort)
	if err != nil || host != elsewhere {
		t.Fatalf("listens on %s; want %s", s.HostPort, elsewhere)
	}
	if info, _, err := Running(dir); err != nil || info.HostPort != s.HostPort {
		t.Errorf("Running = %+v, %v", info, err)
	}

	file := filepath.Join(files, profileName)
	if s.ClientProfile != file {
		t.Errorf("ClientProfile = %s; want %s", s.ClientProfile, file)
	}
	if d, ok := ProfileDir(file); ok {
		t.Errorf("%s is taken for that of the state directory %s", file, d)
	}
	for _, profile := range []string{file, s.Profile} {
		c, err := client.DialContext(t.Context(), profileOptions(t, profile))
		if err != nil {
			t.Fatalf("%s: %v", profile, err)
		}
		c.Close()
	}
	for name, mode := range map[string]os.FileMode{
		".": 0o700, profileName: 0o600, caFile: 0o600, clientCert: 0o600, clientKey: 0o600,
	} {
		if st, err := os.Stat(filepath.Join(files, name)); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want mode %o", name, st, err, mode)
		}
	}
	if entries, err := os.ReadDir(files); err != nil || len(entries) != 4 {
		t.Errorf("%v, %v; want four files", entries, err)
	}

	other := t.TempDir() // a stranger with a server of the same kind
	mustPrepareKeys(t, other, time.Now())
	theirs, err := clientTLS(other)
	if err != nil {
		t.Fatal(err)
	}
	blind := theirs.Clone()
	blind.InsecureSkipVerify, blind.RootCAs = true, nil
	keyless := blind.Clone()
	keyless.Certificates = nil
	for name, with := range map[string]client.ConnectionOptions{
		"no TLS": {}, "no certificate": {TLS: keyless}, "other keys": {TLS: theirs}, "other keys, unchecked": {TLS: blind},
	} {
		c, err := client.DialContext(t.Context(), client.Options{
			HostPort: s.HostPort, Logger: silent(), ConnectionOptions: with,
		})
		if err == nil {
			c.Close()
			t.Errorf("%s: a stranger has connected", name)
		}
	}
	ui, err := url.Parse(s.UIURL)
	if err != nil || ui.Hostname() != loopback {
		t.Fatalf("Web UI at %s, %v", s.UIURL, err)
	}
	if c, err := new(net.Dialer).DialContext(t.Context(), "tcp", net.JoinHostPort(elsewhere, ui.Port())); err == nil {
		c.Close()
		t.Error("the Web UI listens for other machines")
	}
}

// profileOptions reads how to connect from a file alone.
func profileOptions(t *testing.T, file string) client.Options {
	t.Helper()
	opts, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{
		ConfigFilePath: file, ConfigFileStrict: true, EnvLookup: noVariables{},
	})
	if err != nil {
		t.Fatal(err)
	}
	opts.Logger = silent()
	return opts
}

// Keys go into no folder that others may enter, and a server listens on one address that it knows.
func TestRefusedToListen(t *testing.T) {
	open := t.TempDir()
	if err := os.Chmod(open, 0o750); err != nil {
		t.Fatal(err)
	}
	own := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(own, link); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"own folder":  {Options{ClientFiles: own, Dir: own}, "the server's own folder"},
		"by a link":   {Options{ClientFiles: link, Dir: own}, "the server's own folder"},
		"own keys":    {Options{ClientFiles: filepath.Join(own, "keys"), Dir: own}, "the server's own folder"},
		"open folder": {Options{ClientFiles: open}, "chmod 700 " + open},
		"all":         {Options{Listen: "0.0.0.0"}, `"0.0.0.0"`},
		"all of IPv6": {Options{Listen: "::"}, `"::"`},
		"a name":      {Options{Listen: "localhost"}, `"localhost"`},
		"not here":    {Options{Listen: "192.0.2.1"}, "192.0.2.1"},
	} {
		c.o.Dir, c.o.GRPCPort, c.o.UIPort = cmp.Or(c.o.Dir, t.TempDir()), -1, -1
		s, err := Start(context.Background(), c.o)
		if err == nil {
			s.Stop()
			t.Errorf("%s: started at %s", name, s.HostPort)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q lacks %q", name, err, c.want)
		}
	}
	if entries, err := os.ReadDir(open); err != nil || len(entries) != 0 {
		t.Errorf("in the open folder: %v, %v", entries, err)
	}
}
