package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/deploy/local"
)

// hintTimeout bounds a question that finds out why a server refuses a connection.
const hintTimeout = 5 * time.Second

// tlsHint says what to do about a server that could not be reached, if it may be a matter of TLS: a client without
// keys reads only that the connection has ended.
func tlsHint(ctx context.Context, opts client.Options) string {
	with := opts.ConnectionOptions.TLS
	switch local.Ask(ctx, opts.HostPort) {
	case local.TakesKeys:
		return "this server of sweep run or sweep up takes only programs that have the keys in its state directory: " +
			"name that with --dir, or export TEMPORAL_CONFIG_FILE=DIR/temporal.toml, as sweep up prints it; from other " +
			"machines it is the temporal.toml in the folder of its --client-keys"
	case local.SpeaksTLS:
		if with == nil {
			return fmt.Sprintf("%s speaks TLS: say so with TEMPORAL_TLS=true, and name keys with TEMPORAL_TLS_CLIENT_CERT_PATH "+
				"and TEMPORAL_TLS_CLIENT_KEY_PATH if it wants them", opts.HostPort)
		}
		return certificateHint(with, handshake(ctx, opts.HostPort, with))
	default:
		if with != nil && listens(ctx, opts.HostPort) {
			return "it does not speak TLS, which TEMPORAL_TLS, an API key or the configuration file asks for"
		}
		return ""
	}
}

// listens says that something takes connections at an address.
func listens(ctx context.Context, hostPort string) bool {
	ctx, cancel := context.WithTimeout(ctx, hintTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", hostPort)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// handshake returns the error with which a server and this client do not agree on a connection.
func handshake(ctx context.Context, hostPort string, with *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, hintTimeout)
	defer cancel()
	with = with.Clone()
	with.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{Config: with}).DialContext(ctx, "tcp", hostPort)
	if err != nil {
		return err
	}
	defer conn.Close()
	// With TLS 1.3 the client has done its part when the server looks at its certificate. The server speaks first.
	deadline, _ := ctx.Deadline()
	if err := conn.SetReadDeadline(deadline); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

// certificateHint says what to do about an error of a handshake; "" if it says nothing of certificates.
func certificateHint(with *tls.Config, err error) string {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		remote  *net.OpError
	)
	switch {
	case errors.As(err, &unknown):
		return "this machine does not trust the authority that signed the server's certificate: name the authority's " +
			"certificate with TEMPORAL_TLS_SERVER_CA_CERT_PATH"
	case errors.As(err, &name):
		return fmt.Sprintf("the server's certificate is for %s: give that address, or name it with "+
			"TEMPORAL_TLS_SERVER_NAME", strings.Join(namesOf(name.Certificate), ", "))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("the server's certificate holds from %s to %s: whoever runs the server must renew it, unless "+
			"this machine's clock is wrong", day(invalid.Cert.NotBefore), day(invalid.Cert.NotAfter))
	case !errors.As(err, &remote) || remote.Op != "remote error":
		return ""
	}
	mine := clientCertificate(with)
	switch now := time.Now(); {
	case mine == nil:
		return "the server wants a certificate of this program: name one, and its key, with TEMPORAL_TLS_CLIENT_CERT_PATH " +
			"and TEMPORAL_TLS_CLIENT_KEY_PATH"
	case now.After(mine.NotAfter) || now.Before(mine.NotBefore):
		return fmt.Sprintf("this program's certificate, of TEMPORAL_TLS_CLIENT_CERT_PATH, holds from %s to %s: renew it; "+
			"a worker that runs reads the new one by itself", day(mine.NotBefore), day(mine.NotAfter))
	}
	return fmt.Sprintf("the server refuses this program's certificate, of TEMPORAL_TLS_CLIENT_CERT_PATH (%v): it must be "+
		"signed by an authority that the server trusts", remote.Err)
}

// clientCertificate returns the certificate of this program; nil if it has none.
func clientCertificate(with *tls.Config) *x509.Certificate {
	certificates := with.Certificates
	if with.GetClientCertificate != nil {
		if c, err := with.GetClientCertificate(nil); err == nil {
			certificates = []tls.Certificate{*c}
		}
	}
	if len(certificates) == 0 {
		return nil
	}
	return certificates[0].Leaf
}

func namesOf(c *x509.Certificate) []string {
	names := c.DNSNames
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return []string{"no name"}
	}
	return names
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
