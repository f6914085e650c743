package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"google.golang.org/grpc"
)

// A temporalProfile is what Temporal's environment variables and configuration file say of a server.
type temporalProfile struct {
	envconfig.ClientConfigProfile
	file string // the configuration file, which need not be there; "" if none is read
	read stamp  // of that file, before it was read: what is written meanwhile is read again
}

// readProfile reads Temporal's environment and, with fromFile, its configuration file.
func readProfile(fromFile bool) (temporalProfile, error) {
	p := temporalProfile{}
	if fromFile {
		p.file = cmp.Or(os.Getenv("TEMPORAL_CONFIG_FILE"), envconfig.DefaultConfigFilePath())
	}
	p.read = stampOf(p.file)
	var err error
	p.ClientConfigProfile, err = envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{
		DisableFile: !fromFile,
	})
	if err != nil {
		return p, badConfiguration(err, os.Getenv("TEMPORAL_CONFIG_FILE"))
	}
	return p, nil
}

// options are those of a connection. A worker runs for weeks, and keys and certificates end before: so an API key that
// is replaced in the configuration file, and a client certificate that is renewed in its files, are used at once.
func (p temporalProfile) options() (client.Options, error) {
	opts, err := p.ToClientOptions(envconfig.ToClientOptionsRequest{})
	if err != nil {
		return opts, badConfiguration(err, p.file)
	}
	keys := &keySource{file: p.file, key: p.APIKey, read: p.read}
	if p.APIKey != "" {
		opts.Credentials = client.NewAPIKeyDynamicCredentials(keys.get)
	}
	if p.sendsSecret() {
		secrets := func() []string {
			key, _ := keys.get(context.Background())
			bare := strings.TrimPrefix(p.GRPCMeta["authorization"], "Bearer ")
			return []string{key, bare}
		}
		to := &opts.ConnectionOptions
		to.DialOptions = append(to.DialOptions, grpc.WithChainUnaryInterceptor(hide(secrets)))
	}
	if to := opts.ConnectionOptions.TLS; to != nil && p.TLS != nil && p.TLS.ClientCertPath != "" {
		to.GetClientCertificate = renewed(p.TLS.ClientCertPath, p.TLS.ClientKeyPath, to.Certificates[0])
		to.Certificates = nil
	}
	return opts, nil
}

// sendsSecret says that a connection tells the server a secret with each call.
func (p temporalProfile) sendsSecret() bool {
	return p.APIKey != "" || p.GRPCMeta["authorization"] != ""
}

// errKeyInClear refuses to send a secret without TLS. The SDK would send it.
var errKeyInClear = errors.New("TEMPORAL_TLS, or the configuration file, has TLS off, and an API key is set: " +
	"everybody on the way could read the key. Turn TLS on (TEMPORAL_TLS=true), or remove TEMPORAL_API_KEY for a server " +
	"that asks for none")

// A keySource has the API key of a profile. It reads the configuration file again when that has changed.
type keySource struct {
	file string

	mu   sync.Mutex
	key  string
	read stamp // of the file as it was read last
}

// get returns the key. While the file cannot be read, as in the moment in which it is replaced, the key stays.
func (s *keySource) get(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := stampOf(s.file); now != s.read && now != (stamp{}) {
		if p, err := readProfile(true); err == nil && p.APIKey != "" {
			s.key, s.read = p.APIKey, now
		}
	}
	return s.key, nil
}

// A stamp changes when a file does; it is zero for a file that is not there.
type stamp struct {
	at   time.Time
	size int64
}

func stampOf(file string) stamp {
	info, err := os.Stat(file) // of what a link leads to
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}

// renewed returns what reads a client certificate from its files for each new connection. The last good one is used
// while they do not fit together. Servers end connections after some minutes, so that a certificate is read in time.
func renewed(cert, key string, first tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	var last atomic.Pointer[tls.Certificate]
	last.Store(&first)
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if now, err := tls.LoadX509KeyPair(cert, key); err == nil {
			last.Store(&now)
		}
		return last.Load(), nil
	}
}
