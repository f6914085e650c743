//go:build !noserver

package local

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

const (
	keysLast    = 10 * 365 * 24 * time.Hour
	keysRenewed = 365 * 24 * time.Hour // so long before they end
	clockSkew   = 24 * time.Hour       // by which clocks may be set back
)

// keyNames are all files of the folder of keys.
func keyNames() []string { return []string{caFile, serverCert, serverKey, clientCert, clientKey} }

// prepareKeys sees to it that dir has a set of keys that is whole, secret, and good for a
// year. It makes a new one if not. Only the process with the lock calls it. After a kill in
// between there is the whole set or none.
func prepareKeys(dir string, now time.Time) error {
	if checkKeys(dir, now) == nil {
		return nil
	}
	made, err := makeKeys(now)
	if err != nil {
		return fmt.Errorf("make keys: %w", err)
	}
	if err := replaceKeys(dir, made); err != nil {
		return fmt.Errorf("store keys: %w", err)
	}
	return nil
}

// checkKeys returns why the keys of dir are not to be used any more.
func checkKeys(dir string, now time.Time) error {
	for _, name := range append(keyNames(), ".") {
		st, err := os.Lstat(keyFile(dir, name))
		if err != nil {
			return err
		}
		// Windows has no such bits: there the folder has the rights of those around it.
		if runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0 {
			return fmt.Errorf("%s: others may have read it", keyFile(dir, name))
		}
		if name != "." && !st.Mode().IsRegular() {
			return fmt.Errorf("%s: not a file", keyFile(dir, name))
		}
	}
	for _, x := range []struct {
		cert, key string
		use       x509.ExtKeyUsage
		host      string
	}{
		{serverCert, serverKey, x509.ExtKeyUsageServerAuth, serverName},
		{serverCert, serverKey, x509.ExtKeyUsageServerAuth, loopback},
		{clientCert, clientKey, x509.ExtKeyUsageClientAuth, ""},
	} {
		pair, ca, err := readPair(dir, x.cert, x.key)
		if err != nil {
			return err
		}
		for _, at := range []time.Time{now, now.Add(keysRenewed)} {
			if err := checkCertificate(pair, x509.VerifyOptions{
				Roots: ca, CurrentTime: at, DNSName: x.host, KeyUsages: []x509.ExtKeyUsage{x.use},
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkCertificate(pair tls.Certificate, o x509.VerifyOptions) error {
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return err
	}
	_, err = cert.Verify(o)
	return err
}

// serverTLS reads the keys of the server on dir. It takes no client without those of
// clientTLS.
func serverTLS(dir string) (*tls.Config, error) {
	cert, ca, err := readPair(dir, serverCert, serverKey)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ClientCAs: ca, ClientAuth: tls.RequireAndVerifyClientCert,
		Certificates: []tls.Certificate{cert},
	}, nil
}

// makeKeys makes an authority, has it sign a certificate for the server and one for all
// clients, and forgets its key. It returns the content of the files.
func makeKeys(now time.Time) (map[string][]byte, error) {
	files := map[string][]byte{}
	authority := certificate("authority", now)
	authority.IsCA, authority.BasicConstraintsValid, authority.MaxPathLenZero = true, true, true
	authority.KeyUsage = x509.KeyUsageCertSign
	root, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	add := func(certName, keyName string, c *x509.Certificate, key *ecdsa.PrivateKey) error {
		der, err := x509.CreateCertificate(rand.Reader, c, authority, &key.PublicKey, root)
		if err != nil {
			return err
		}
		files[certName] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		if keyName == "" {
			return nil
		}
		der, err = x509.MarshalPKCS8PrivateKey(key)
		files[keyName] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		return err
	}
	if err := add(caFile, "", authority, root); err != nil {
		return nil, err
	}
	server, client := certificate("server", now), certificate("client", now)
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.DNSNames = []string{serverName}
	server.IPAddresses = []net.IP{net.ParseIP(loopback), net.IPv6loopback}
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for _, x := range []struct {
		cert, key string
		c         *x509.Certificate
	}{{serverCert, serverKey, server}, {clientCert, clientKey, client}} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err == nil {
			err = add(x.cert, x.key, x.c, key)
		}
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// certificate returns what all three certificates have in common.
func certificate(role string, now time.Time) *x509.Certificate {
	serial := make([]byte, 16)
	rand.Read(serial) // never fails
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{Organization: []string{organization}, CommonName: role},
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     now.Add(keysLast),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

// replaceKeys stores a set of keys in place of what is there. The set is renamed as a whole.
func replaceKeys(dir string, files map[string][]byte) (err error) {
	next := filepath.Join(dir, keysName+".tmp")
	if err := os.RemoveAll(next); err != nil { // what a kill has left
		return err
	}
	if err := os.Mkdir(next, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(next))
		}
	}()
	for name, content := range files {
		if err := writeSynced(filepath.Join(next, name), content); err != nil {
			return err
		}
	}
	if err := removeKeys(dir); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(dir, keysName))
}

// writeSynced writes a new file that only its owner can read.
func writeSynced(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// removeKeys removes the folder of keys. One with other files in it stays, and is an error.
func removeKeys(dir string) error {
	folder := filepath.Join(dir, keysName)
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return removeIfThere(folder) // a file of that name
	}
	for _, e := range entries {
		if !slices.Contains(keyNames(), e.Name()) {
			return fmt.Errorf("%s is not a file of this program: move it away, or choose another directory with --dir",
				filepath.Join(folder, e.Name()))
		}
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(folder, e.Name())); err != nil {
			return err
		}
	}
	return removeIfThere(folder)
}
