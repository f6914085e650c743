package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/topksweep/sweep/storage/minio/miniotest"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
	"github.com/topksweep/sweep/trainer/data/chunks"
)

// realShard holds activations of a transformer.
const realShard = "../../trainer/data/testdata/minilm-l3/activations-00000.safetensors"

// bucketOfShards is a bucket of a real server with activations in it, behind a proxy that fails some requests.
type bucketOfShards struct {
	client   *miniogo.Client
	proxy    *httptest.Server
	every    atomic.Int64 // each so-many-th request fails; 0: none
	requests atomic.Int64
	bytes    atomic.Int64 // of answers
}

func newBucketOfShards(t *testing.T) *bucketOfShards {
	t.Helper()
	server := miniotest.Start(t)
	at, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	b := &bucketOfShards{}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(at)
			r.Out.Host = r.In.Host // the signature has it
		},
		ModifyResponse: func(r *http.Response) error {
			r.Body = &countedBody{r.Body, &b.bytes}
			return nil
		},
	}
	b.proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, every := b.requests.Add(1), b.every.Load()
		switch {
		case every > 0 && n%(2*every) == 0:
			http.Error(w, "slow down", http.StatusServiceUnavailable)
		case every > 0 && n%(2*every) == every: // the connection ends in the middle
			panic(http.ErrAbortHandler)
		default:
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(b.proxy.Close)
	b.client, err = miniogo.New(at.Host, &miniogo.Options{
		Creds: credentials.NewStaticV4(miniotest.User, miniotest.Password, ""),
	})
	if err == nil {
		err = b.client.MakeBucket(t.Context(), "acts", miniogo.MakeBucketOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range b.environment() {
		t.Setenv(name, value)
	}
	return b
}

func (b *bucketOfShards) environment() map[string]string {
	return map[string]string{"AWS_ENDPOINT_URL_S3": b.proxy.URL, "AWS_ACCESS_KEY_ID": miniotest.User,
		"AWS_SECRET_ACCESS_KEY": miniotest.Password, "AWS_REGION": "us-east-1"}
}

type countedBody struct {
	io.ReadCloser
	bytes *atomic.Int64
}

func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

func (b *bucketOfShards) put(t *testing.T, name string, content []byte) {
	t.Helper()
	_, err := b.client.PutObject(t.Context(), "acts", name, bytes.NewReader(content), int64(len(content)),
		miniogo.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// Rows of a real server's bucket are those of a folder, however small the cache is, with a full disk, and where one in
// ten requests fails.
func TestObjectsOfServer(t *testing.T) {
	b := newBucketOfShards(t)
	shard := fewRows(t, 600)
	b.put(t, "minilm/l3/a.npy", shard)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "a.npy"), shard, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, shuffle := range []string{"full", "blocks"} {
		spec := trainer.DataSpec{Source: folder, Normalize: "mean_square", EvalTokens: 100, Shuffle: shuffle}
		want := openRows(t, spec, data.Options{})
		spec.Source = "s3://acts/minilm"
		for name, c := range map[string]struct {
			cache *chunks.Cache
			every int64
		}{
			"cache":       {chunks.New(t.TempDir(), 1<<30), 0},
			"small cache": {chunks.New(t.TempDir(), 200<<10), 0},
			"no folder":   {chunks.New(file, 1<<30), 0},
			"failing":     {chunks.New(t.TempDir(), 1<<30), 2},
		} {
			t.Run(shuffle+" "+name, func(t *testing.T) {
				b.every.Store(c.every)
				defer b.every.Store(0)
				options := optionsFor(t)
				options.Chunks = c.cache
				got := openRows(t, spec, options)
				x, y := make([]float32, 32*384), make([]float32, 32*384)
				for _, step := range []int64{0, 1, 14, 15, 16, 99} {
					if err := errors.Join(want.Batch(3, step, x), got.Batch(3, step, y)); err != nil || !slices.Equal(x, y) {
						t.Fatalf("step %d differs: %v", step, err)
					}
				}
				if err := errors.Join(want.Eval(10, x), got.Eval(10, y)); err != nil || !slices.Equal(x, y) {
					t.Fatalf("held-out rows differ: %v", err)
				}
			})
		}
	}

	// A replaced object is refused.
	spec := trainer.DataSpec{Source: "s3://acts/minilm", EvalTokens: 100}
	options := optionsFor(t)
	s := openRows(t, spec, options)
	other := slices.Clone(shard)
	other[len(other)-1] ^= 1
	b.put(t, "minilm/l3/a.npy", other)
	if err := s.Verify(t.Context(), s.Generation()); !errors.Is(err, data.ErrChanged) {
		t.Errorf("replaced: %v", err)
	}
	failed := error(nil)
	for step := int64(0); step < 300 && failed == nil; step++ {
		failed = s.Batch(1, step, make([]float32, 32*384))
	}
	if !errors.Is(failed, data.ErrChanged) {
		t.Errorf("read what was replaced: %v", failed)
	}
	for source, want := range map[string]string{
		"s3://nosuch/minilm": "there is no bucket nosuch", "s3://acts/nosuch": "not exist", "s3://Bad_/x": "bucket",
	} {
		spec.Source = source
		if _, err := data.Open(t.Context(), spec, options); !errors.Is(err, data.ErrMissing) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func optionsFor(t *testing.T) data.Options {
	t.Helper()
	options, err := (&environment{}).dataOptions()
	if err != nil {
		t.Fatal(err)
	}
	return options
}

// fewRows returns a .npy file with the last rows of the real shard.
func fewRows(t *testing.T, rows int) []byte {
	t.Helper()
	shard, err := os.ReadFile(realShard)
	if err != nil {
		t.Fatal(err)
	}
	header := fmt.Sprintf("{'descr': '<f2', 'fortran_order': False, 'shape': (%d, 384), }", rows)
	header += strings.Repeat(" ", 117-len(header)) + "\n"
	file := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0)
	return append(append(file, header...), shard[len(shard)-rows*384*2:]...)
}

func openRows(t *testing.T, spec trainer.DataSpec, o data.Options) *data.Set {
	t.Helper()
	s, err := data.Open(t.Context(), spec, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Two processes on one machine train from a bucket to the weights that a folder gives. The second one finds in the
// cache what the first one has read.
func TestRunFromBucket(t *testing.T) {
	b := newBucketOfShards(t)
	shard, err := os.ReadFile(realShard)
	if err != nil {
		t.Fatal(err)
	}
	b.put(t, "l3/a.safetensors", shard)
	cache := t.TempDir()
	gridOf := func(name, source string) string {
		return writeGrid(t, fmt.Sprintf("name: %s\ndata: {source: %q, normalize: mean_square}\nparameters: {k: [8, 16]}\n"+
			"train: {dict_size: 512, steps: 60, batch_size: 64}\n", name, source))
	}
	absolute, err := filepath.Abs(filepath.Dir(realShard))
	if err != nil {
		t.Fatal(err)
	}
	local := t.TempDir()
	mustRun(t, local, "run", gridOf("local", absolute))
	want := weights(t, local)
	if len(want) != 2 {
		t.Fatalf("%d models", len(want))
	}
	for i, name := range []string{"first", "second"} {
		dir := t.TempDir()
		before := b.bytes.Load()
		out := mustRun(t, dir, "run", gridOf(name, "s3://acts/l3"), "--cache", cache, "--cache-size", "100MB")
		if got := weights(t, dir); !maps.Equal(got, want) {
			t.Errorf("%s: the weights differ\n%s", name, out)
		}
		if read := b.bytes.Load() - before; i == 1 && read > int64(len(shard))/10 {
			t.Errorf("the second process read %d bytes of the bucket", read)
		}
	}
}

// weights returns the tensors of the models in a store.
func weights(t *testing.T, dir string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, content := range readModels(t, dir) {
		header := binary.LittleEndian.Uint64([]byte(content)) // says where the rows were read
		all[content[8+header:]] = true
	}
	return all
}
