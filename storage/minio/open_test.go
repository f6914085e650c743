package minio_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/minio"
	"github.com/topksweep/sweep/storage/minio/miniotest"
	"github.com/topksweep/sweep/storage/storagetest"
)

type ctx = context.Context

func wrongCredentials(s *miniotest.Server) minio.Options {
	o := options(s)
	o.Credentials = credentials.NewStaticV4(miniotest.User, "wrong-password", "")
	return o
}

func noCredentials(s *miniotest.Server) minio.Options {
	o := options(s)
	o.Credentials = credentials.NewStatic("", "", "", credentials.SignatureAnonymous)
	return o
}

// writer is the process that TestWriterKilled kills: it finds its credentials in
// the environment.
func writer(endpoint string) error {
	s, err := minio.Open(context.Background(), "s3://writer/deep/down?endpoint="+endpoint, minio.Options{})
	if err != nil {
		return err
	}
	return storagetest.Writer(s, os.Stdout)
}

func TestBadLocations(t *testing.T) {
	long := "s3://bucket/" + strings.Repeat("x", 199) + "/" + strings.Repeat("y", 150)
	for location, why := range map[string]string{
		"bucket/prefix":                           "not of the form s3://bucket/prefix",
		"http://bucket/prefix":                    "not of the form s3://bucket/prefix",
		"s3://":                                   `bucket "": Bucket name cannot be empty`,
		"s3://Upper":                              `bucket "Upper": `,
		"s3://bucket/a b":                         "prefix a b: bad key: character ' '",
		"s3://bucket/../x":                        `prefix ../x: bad key: element ".."`,
		long:                                      "prefix of 350 bytes, of at most 300",
		"s3://bucket?endpoint=localhost:9000":     "the endpoint is not of the form https://host:port",
		"s3://bucket?endpoint=http://h/path":      "endpoint http://h: neither a path nor a query is supported",
		"s3://bucket?endpoint=ftp://h":            "the endpoint is not of the form https://host:port",
		"s3://bucket?adressing=path":              `unknown setting "adressing": endpoint, region and addressing are known`,
		"s3://bucket?addressing=dns":              `addressing "dns": path, virtual or nothing`,
		"s3://user:hunter2@bucket":                "not of the form s3://bucket/prefix",
		"s3://user:hunter2@bucket/%zz":            "invalid URL escape",
		"s3://bucket?endpoint=http://u:hunter2@h": "the endpoint holds credentials: they belong in the environment",
	} {
		_, err := minio.Open(t.Context(), location, minio.Options{})
		if !errors.Is(err, minio.ErrLocation) || !strings.HasPrefix(err.Error(), "open ") ||
			!strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %s", location, err, why)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a secret in %v", err)
		}
	}
}

func TestMissingBucket(t *testing.T) {
	server := miniotest.Start(t)
	o := options(server)
	o.CreateBucket = false
	_, err := minio.Open(t.Context(), "s3://missing/x", o)
	want := "open s3://missing/x: bucket missing does not exist at " + server.Endpoint
	if !errors.Is(err, minio.ErrNoBucket) || err.Error() != want {
		t.Errorf("open: %v, want %s", err, want)
	}
	o.CreateBucket = true
	storagetest.Parallel(t, 8, 8, func(int) error { // workers that start together
		_, err := minio.Open(t.Context(), "s3://missing/x", o)
		return err
	})
	// A missing bucket must not look like an empty one.
	s := open(t, "s3://missing", o)
	if err := os.RemoveAll(filepath.Join(server.Dir, "missing")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "key"); err == nil || errors.Is(err, storage.ErrNotFound) {
		t.Errorf("get from a bucket that has gone: %v", err)
	}
}

func TestNoServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o := minio.Options{RetryFor: -1, Credentials: credentials.NewStaticV4("a", "b", "")}
	_, err = minio.Open(t.Context(), "s3://bucket?endpoint=http://"+addr, o)
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("open: %v, want connection refused", err)
	}
}

// certificate writes a certificate for 127.0.0.1 and its key into a directory,
// and returns a transport that trusts it.
func certificate(t *testing.T) (dir string, trusting *http.Transport) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sweep test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for name, block := range map[string]*pem.Block{
		"public.crt": {Type: "CERTIFICATE", Bytes: der}, "private.key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o, err := minio.EnvOptions(env(map[string]string{"AWS_CA_BUNDLE": filepath.Join(dir, "public.crt")}))
	if err != nil {
		t.Fatal(err)
	}
	return dir, o.Transport.(*http.Transport)
}

func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestTLS(t *testing.T) {
	certs, trusting := certificate(t)
	server := miniotest.StartTLS(t, certs)
	o := options(server)
	o.Transport = trusting
	s := open(t, "s3://secure", o)
	want := pattern(1, 20<<20)
	if err := storage.PutBytes(t.Context(), s, "object", want); err != nil {
		t.Fatal(err)
	}
	if got, err := storage.ReadAll(t.Context(), s, "object", 1<<30); err != nil || string(got) != string(want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// An untrusted certificate, or a server without TLS, must fail without retries.
	o.Transport, o.RetryFor = nil, time.Hour
	_, err := minio.Open(t.Context(), "s3://secure", o)
	if unknown := new(x509.UnknownAuthorityError); !errors.As(err, unknown) {
		t.Errorf("without the CA: %v", err)
	}
	o.Endpoint = strings.Replace(server.Endpoint, "https:", "http:", 1)
	if _, err := minio.Open(t.Context(), "s3://secure", o); err == nil {
		t.Error("no error without TLS")
	}
}

// TestVirtualHost has the bucket in the host name, which the test resolves itself.
func TestVirtualHost(t *testing.T) {
	server := miniotest.Start(t, "MINIO_DOMAIN=s3.test")
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.Endpoint, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for addressing, wantHost := range map[string]string{"virtual": "vbucket.s3.test:" + port, "path": "s3.test:" + port} {
		hosts := map[string]bool{}
		o := options(server)
		o.Endpoint, o.Addressing = "http://s3.test:"+port, addressing
		o.Transport = &http.Transport{DialContext: func(ctx ctx, network, addr string) (net.Conn, error) {
			hosts[addr] = true
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
		}}
		s := open(t, "s3://vbucket/"+addressing, o)
		if err := storage.PutBytes(t.Context(), s, "object", pattern(1, 20<<20)); err != nil {
			t.Fatal(err)
		}
		if objects, err := s.List(t.Context(), ""); err != nil || len(objects) != 1 {
			t.Errorf("list: %v, %v", objects, err)
		}
		if !hosts[wantHost] {
			t.Errorf("%s: asked %v, not %s", addressing, hosts, wantHost)
		}
	}
}

func TestEnvOptions(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want minio.Options
	}{
		{nil, minio.Options{}},
		{map[string]string{"MINIO_ENDPOINT": "http://m", "AWS_DEFAULT_REGION": "eu"},
			minio.Options{Endpoint: "http://m", Region: "eu"}},
		{map[string]string{
			"MINIO_ENDPOINT": "http://m", "AWS_ENDPOINT_URL": "http://a", "AWS_DEFAULT_REGION": "eu", "AWS_REGION": "us"},
			minio.Options{Endpoint: "http://a", Region: "us"}},
		{map[string]string{"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://s", "SWEEP_S3_ADDRESSING": "path"},
			minio.Options{Endpoint: "http://s", Addressing: "path"}},
	} {
		if got, err := minio.EnvOptions(env(test.env)); err != nil || got != test.want {
			t.Errorf("%v: %+v, %v, want %+v", test.env, got, err, test.want)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, empty + ".not"} {
		_, err := minio.EnvOptions(env(map[string]string{"AWS_CA_BUNDLE": path}))
		if err == nil || !strings.Contains(err.Error(), "AWS_CA_BUNDLE") {
			t.Errorf("bundle %s: %v", path, err)
		}
	}
}

// TestCredentials finds credentials in each of the usual places.
func TestCredentials(t *testing.T) {
	server := miniotest.Start(t)
	open(t, "s3://creds", options(server))
	file := filepath.Join(t.TempDir(), "credentials")
	text := "[default]\naws_access_key_id = nobody\naws_secret_access_key = nothing\n" +
		"[sweep]\naws_access_key_id = " + miniotest.User + "\naws_secret_access_key = " + miniotest.Password + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// What the metadata service of a pod answers.
	role := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"AccessKeyId": %q, "SecretAccessKey": %q, "Token": "", "Expiration": %q}`,
			miniotest.User, miniotest.Password, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(role.Close)
	t.Setenv("HOME", t.TempDir())
	for name, vars := range map[string]map[string]string{
		"AWS":   {"AWS_ACCESS_KEY_ID": miniotest.User, "AWS_SECRET_ACCESS_KEY": miniotest.Password},
		"MinIO": {"MINIO_ROOT_USER": miniotest.User, "MINIO_ROOT_PASSWORD": miniotest.Password},
		"file":  {"AWS_SHARED_CREDENTIALS_FILE": file, "AWS_PROFILE": "sweep"},
		"role":  {"AWS_CONTAINER_CREDENTIALS_FULL_URI": role.URL},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range []string{
				"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN",
				"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY",
				"AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
			} {
				t.Setenv(v, vars[v])
			}
			if _, err := minio.Open(t.Context(), "s3://creds?endpoint="+server.Endpoint, minio.Options{}); err != nil {
				t.Error(err)
			}
		})
	}
}
