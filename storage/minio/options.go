package minio

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/topksweep/sweep/storage"
)

// Options say how to reach a bucket. The zero value is Amazon S3 with the usual
// credentials.
type Options struct {
	Endpoint     string // https://host[:port], or http://…; "" is https://s3.amazonaws.com
	Region       string // "" asks the server
	Addressing   string // path, virtual (bucket.host), or "": whichever the server is known for
	CreateBucket bool   // create the bucket if it is missing

	// Credentials, if nil, come from the first of these that has any:
	// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, MINIO_ROOT_USER and
	// MINIO_ROOT_PASSWORD or MINIO_ACCESS_KEY and MINIO_SECRET_KEY,
	// ~/.aws/credentials (AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE), ~/.mc, and
	// the role of the pod or machine. Without any, requests are anonymous.
	Credentials *credentials.Credentials

	Transport http.RoundTripper // nil: the usual, with the system's certificates

	PartSize int64         // of multipart uploads, at least 5 MiB; objects up to it are single PUTs. 0: 16 MiB
	Parallel int           // parts on their way at a time. 0: 4
	Timeout  time.Duration // for the server to answer a request, on top of the time its body takes. 0: 30 s
	RetryFor time.Duration // how long an operation repeats a request that fails. 0: 1 minute; negative: never
}

// slowest is how many bytes a second a connection must carry not to be given up.
const slowest = 128 << 10

var lookups = map[string]minio.BucketLookupType{
	"": minio.BucketLookupAuto, "path": minio.BucketLookupPath, "virtual": minio.BucketLookupDNS,
}

// EnvOptions returns the options that the environment holds, in the variables
// of AWS's tools and MinIO's: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or
// MINIO_ENDPOINT; AWS_REGION or AWS_DEFAULT_REGION; AWS_CA_BUNDLE; and our own
// SWEEP_S3_ADDRESSING.
func EnvOptions(getenv func(string) string) (Options, error) {
	first := func(names ...string) string {
		for _, n := range names {
			if v := getenv(n); v != "" {
				return v
			}
		}
		return ""
	}
	o := Options{
		Endpoint:   first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "MINIO_ENDPOINT"),
		Region:     first("AWS_REGION", "AWS_DEFAULT_REGION"),
		Addressing: getenv("SWEEP_S3_ADDRESSING"),
	}
	if bundle := getenv("AWS_CA_BUNDLE"); bundle != "" {
		pem, err := os.ReadFile(bundle)
		if err != nil {
			return o, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return o, fmt.Errorf("AWS_CA_BUNDLE: %s holds no certificate", bundle)
		}
		transport, err := minio.DefaultTransport(true)
		if err != nil {
			return o, err
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
		o.Transport = transport
	}
	return o, nil
}

// At returns o with the settings that a location s3://bucket/prefix has in its query. The error wraps ErrLocation.
func (o Options) At(location string) (Options, error) {
	_, _, o, err := parse(location, o)
	if err != nil {
		return o, storage.Wrap("open", redact(location), storage.Mark(err, ErrLocation))
	}
	return o, nil
}

// parse reads a location and fills in what opts leaves open.
func parse(location string, opts Options) (bucket, prefix string, _ Options, err error) {
	u, err := url.Parse(location)
	if err != nil {
		var e *url.Error // its text repeats the location, which may hold a secret
		if errors.As(err, &e) {
			err = e.Err
		}
		return "", "", opts, err
	}
	if u.Scheme != "s3" || u.User != nil || u.Fragment != "" {
		return "", "", opts, errors.New("not of the form s3://bucket/prefix")
	}
	bucket, prefix = u.Host, strings.Trim(u.Path, "/")
	if err := s3utils.CheckValidBucketNameStrict(bucket); err != nil {
		return "", "", opts, fmt.Errorf("bucket %q: %w", bucket, err)
	}
	if prefix != "" {
		if err := storage.CheckKey(prefix); err != nil {
			return "", "", opts, fmt.Errorf("prefix %s: %w", prefix, err)
		}
		if len(prefix) > maxPrefix {
			return "", "", opts, fmt.Errorf("prefix of %d bytes, of at most %d", len(prefix), maxPrefix)
		}
	}
	for name, values := range u.Query() {
		switch v := values[len(values)-1]; name {
		case "endpoint":
			opts.Endpoint = v
		case "region":
			opts.Region = v
		case "addressing":
			opts.Addressing = v
		default:
			return "", "", opts, fmt.Errorf("unknown setting %q: endpoint, region and addressing are known", name)
		}
	}
	err = opts.fill()
	return bucket, prefix, opts, err
}

// maxPrefix leaves room for the longest key in S3's 1024 bytes.
const maxPrefix = 300

func (o *Options) fill() error {
	if o.Endpoint == "" {
		o.Endpoint = "https://s3.amazonaws.com"
	}
	u, err := url.Parse(o.Endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return errors.New("the endpoint is not of the form https://host:port")
	case u.User != nil:
		return errors.New("the endpoint holds credentials: they belong in the environment")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
		return fmt.Errorf("endpoint %s://%s: neither a path nor a query is supported", u.Scheme, u.Host)
	}
	if _, ok := lookups[o.Addressing]; !ok {
		return fmt.Errorf("addressing %q: path, virtual or nothing", o.Addressing)
	}
	if o.PartSize == 0 {
		o.PartSize = 16 << 20
	}
	if o.PartSize < 5<<20 || o.Parallel < 0 || o.Timeout < 0 {
		return fmt.Errorf("part size %d, %d parallel, timeout %v", o.PartSize, o.Parallel, o.Timeout)
	}
	if o.Parallel == 0 {
		o.Parallel = 4
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.RetryFor == 0 {
		o.RetryFor = time.Minute
	}
	if o.Credentials == nil {
		o.Credentials = credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.EnvMinio{},
			&credentials.FileAWSCredentials{}, &credentials.FileMinioClient{},
			&credentials.IAM{Client: metadataClient()},
		})
	}
	return nil
}
