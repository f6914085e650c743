package local

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
)

// Files of the folder of keys, in PEM. The key of the authority that signed the two
// certificates is nowhere: nobody can sign a third one.
const (
	keysName   = "keys"
	caFile     = "ca.crt"
	serverCert = "server.crt"
	serverKey  = "server.key"
	clientCert = "client.crt"
	clientKey  = "client.key"
)

// serverName is a name in the server's certificate. Clients expect it at each address: the
// services know each other by names that are no hosts.
const serverName = "localhost"

// organization is in the names of all certificates, by which a client knows such a server.
const organization = "topksweep embedded server"

func keyFile(dir, name string) string { return filepath.Join(dir, keysName, name) }

// ClientTLS reads the keys with which programs of the same user connect to the server. It
// returns nil for a server of an earlier version, which has no TLS.
func (i Info) ClientTLS() (*tls.Config, error) {
	if !i.TLS {
		return nil, nil
	}
	return clientTLS(i.dir)
}

// clientTLS reads the keys of clients of the server on dir.
func clientTLS(dir string) (*tls.Config, error) {
	cert, ca, err := readPair(dir, clientCert, clientKey)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: serverName, RootCAs: ca, Certificates: []tls.Certificate{cert},
	}, nil
}

// readPair reads a certificate with its key, and the authority.
func readPair(dir, certName, keyName string) (tls.Certificate, *x509.CertPool, error) {
	cert, err := tls.LoadX509KeyPair(keyFile(dir, certName), keyFile(dir, keyName))
	if err != nil {
		return cert, nil, fmt.Errorf("keys of the server: %w", err)
	}
	pem, err := os.ReadFile(keyFile(dir, caFile))
	if err != nil {
		return cert, nil, fmt.Errorf("keys of the server: %w", err)
	}
	ca := x509.NewCertPool()
	if !ca.AppendCertsFromPEM(pem) {
		return cert, nil, fmt.Errorf("keys of the server: no certificate in %s", keyFile(dir, caFile))
	}
	return cert, ca, nil
}
