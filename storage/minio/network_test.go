package minio_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/minio"
	"github.com/topksweep/sweep/storage/minio/miniotest"
)

var errNetwork = errors.New("connection reset")

// A network carries requests; the n-th has a fault, or all of them.
type network struct {
	http.RoundTripper
	n      atomic.Int64 // requests until the fault
	always atomic.Bool
	fault  func(*network, *http.Request) (*http.Response, error)
}

func (w *network) RoundTrip(req *http.Request) (*http.Response, error) {
	if w.n.Add(-1) == 0 || w.always.Load() {
		return w.fault(w, req)
	}
	return w.RoundTripper.RoundTrip(req)
}

var networkFaults = map[string]func(*network, *http.Request) (*http.Response, error){
	"request lost": func(*network, *http.Request) (*http.Response, error) { return nil, errNetwork },
	"answer lost": func(w *network, req *http.Request) (*http.Response, error) {
		resp, err := w.RoundTripper.RoundTrip(req)
		if err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			err = errNetwork
		}
		return nil, err
	},
	"overloaded": func(w *network, req *http.Request) (*http.Response, error) {
		return &http.Response{
			Status: "503 Slow Down", StatusCode: 503, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(nil)), Request: req,
		}, nil
	},
	"request flipped": func(w *network, req *http.Request) (*http.Response, error) {
		if req.ContentLength >= 100_000 { // the body of an object: over TLS nothing else can change
			req.Body = io.NopCloser(&flipping{r: req.Body, at: req.ContentLength / 2})
		}
		return w.RoundTripper.RoundTrip(req)
	},
	"answer cut": func(w *network, req *http.Request) (*http.Response, error) {
		resp, err := w.RoundTripper.RoundTrip(req)
		if err == nil && req.Method == http.MethodGet && resp.ContentLength > 0 {
			resp.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(io.LimitReader(resp.Body, resp.ContentLength/2), failing{}), resp.Body}
		}
		return resp, err
	},
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errNetwork }

// A flipping reader flips one bit at a position.
type flipping struct {
	r       io.Reader
	at, at0 int64
}

func (f *flipping) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if i := f.at - f.at0; 0 <= i && i < int64(n) {
		p[i] ^= 1
	}
	f.at0 += int64(n)
	return n, err
}

// TestNetworkFaults does every operation once, over TLS, while the first request
// fails, then the second and so on until none fails. No caller may notice.
func TestNetworkFaults(t *testing.T) {
	certs, base := certificate(t)
	server := miniotest.StartTLS(t, certs)
	for name, fault := range networkFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(server)
			w := &network{RoundTripper: base, fault: fault}
			o.Transport, o.PartSize = w, 5<<20
			s := open(t, "s3://network", o)
			for n := int64(1); ; n++ {
				w.n.Store(n)
				everything(t, s, fmt.Sprintf("%s/%d/", strings.ReplaceAll(name, " ", "-"), n))
				if w.n.Load() > 0 {
					t.Logf("%d requests, %d repeated", n-1, s.Retries())
					if s.Retries() < 3 { // an answer can be cut only if it has a body
						t.Error("requests that were repeated are not counted")
					}
					return
				}
				if t.Failed() {
					t.Fatalf("with request %d failing", n)
				}
			}
		})
	}
}

func everything(t *testing.T, s *minio.Store, folder string) {
	t.Helper()
	ctx := t.Context()
	small, large := pattern(1, 100_000), pattern(2, 13<<20)
	for key, b := range map[string][]byte{"empty": {}, "small": small, "large": large} {
		if err := storage.PutBytes(ctx, s, folder+key, b); err != nil {
			t.Error(err)
		}
	}
	// A repeated conditional write may find the object that it has written itself.
	if err := s.PutNew(ctx, folder+"new", small); err != nil && !errors.Is(err, storage.ErrExists) {
		t.Error(err)
	}
	for key, want := range map[string][]byte{"empty": {}, "small": small, "large": large, "new": small} {
		got, err := storage.ReadAll(ctx, s, folder+key, 1<<30)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes of %d, %v", key, len(got), len(want), err)
		}
	}
	if err := s.Delete(ctx, folder+"small"); err != nil {
		t.Error(err)
	}
	objects, err := s.List(ctx, folder)
	if err != nil || len(objects) != 3 {
		t.Errorf("list: %v, %v", objects, err)
	}
}

// pattern returns n bytes that depend on the seed and on where they are.
func pattern(seed, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(seed + i + i>>8*31 + i>>16*17)
	}
	return b
}

// TestFlippedAnswer changes what the server sends: the CRC32C, which it sends ahead,
// shows it. One wrong answer is nobody's fault, and the object is read once more; the
// same wrong answer twice is taken for damage.
func TestFlippedAnswer(t *testing.T) {
	o := options(miniotest.Start(t))
	w := &network{RoundTripper: http.DefaultTransport}
	w.fault = func(w *network, req *http.Request) (*http.Response, error) {
		resp, err := w.RoundTripper.RoundTrip(req)
		if err == nil {
			if req.URL.Query().Has("list-type") { // a listing, which is not the object
				return resp, err
			}
			resp.Body = io.NopCloser(&flipping{r: resp.Body, at: resp.ContentLength - 1})
		}
		return resp, err
	}
	o.Transport, o.PartSize = w, 5<<20
	s := open(t, "s3://flipped", o)
	for _, size := range []int{1, 1 << 20, 12 << 20} { // in one part and in several
		want := pattern(size, size)
		if err := storage.PutBytes(t.Context(), s, "object", want); err != nil {
			t.Fatal(err)
		}
		w.n.Store(1)
		r, err := s.Get(t.Context(), "object")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("object of %d bytes with one flipped: %v, want ErrCorrupt", size, err)
		}
		r.Close()
		w.n.Store(1)
		if got, err := storage.ReadAll(t.Context(), s, "object", 1<<30); err != nil || !bytes.Equal(got, want) {
			t.Errorf("object of %d bytes with one flipped once: %v", size, err)
		}
		w.always.Store(true)
		if _, err := storage.ReadAll(t.Context(), s, "object", 1<<30); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("object of %d bytes with one flipped always: %v, want ErrCorrupt", size, err)
		}
		w.always.Store(false)
		if got, err := storage.ReadAll(t.Context(), s, "object", 1<<30); err != nil || !bytes.Equal(got, want) {
			t.Errorf("object of %d bytes: %v", size, err)
		}
	}
}

// A connection that ends early, however it does, and however often, says nothing about
// the object: it is an error that is neither its end nor damage.
func TestCutAnswer(t *testing.T) {
	o := options(miniotest.Start(t))
	w := &network{RoundTripper: http.DefaultTransport}
	o.Transport = w
	s := open(t, "s3://cut", o)
	want := pattern(1, 100_000)
	if err := storage.PutBytes(t.Context(), s, "object", want); err != nil {
		t.Fatal(err)
	}
	o.RetryFor = -1
	w.n.Store(0)
	s = open(t, "s3://cut", o)
	cut := func(change func(*http.Response)) func(*network, *http.Request) (*http.Response, error) {
		return func(w *network, req *http.Request) (*http.Response, error) {
			resp, err := w.RoundTripper.RoundTrip(req)
			if err == nil && !req.URL.Query().Has("list-type") {
				change(resp)
			}
			return resp, err
		}
	}
	for name, fault := range map[string]func(*network, *http.Request) (*http.Response, error){
		"breaks off": networkFaults["answer cut"],
		"seems to end": cut(func(resp *http.Response) {
			resp.Body = io.NopCloser(io.LimitReader(resp.Body, 50_000))
		}),
		"goes on": cut(func(resp *http.Response) {
			resp.Body = io.NopCloser(io.MultiReader(resp.Body, strings.NewReader("more")))
		}),
		"without a length": cut(func(resp *http.Response) {
			resp.Header.Del("Content-Length")
			resp.Body = io.NopCloser(io.LimitReader(resp.Body, 50_000))
		}),
	} {
		w.fault = fault
		w.always.Store(true)
		got, err := storage.ReadAll(t.Context(), s, "object", 1<<30)
		if err == nil || errors.Is(err, storage.ErrCorrupt) || errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		w.always.Store(false)
		if got, err := storage.ReadAll(t.Context(), s, "object", 1<<30); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s, and then whole: %d bytes, %v", name, len(got), err)
		}
	}
}

// TestStalls has a server that stops before its answer or in the middle of it. There
// is a deadline for both, after which the request is repeated.
func TestStalls(t *testing.T) {
	o := options(miniotest.Start(t))
	w := &network{RoundTripper: http.DefaultTransport}
	o.Transport = w
	want := pattern(1, 3<<20)
	if err := storage.PutBytes(t.Context(), open(t, "s3://stalls", o), "object", want); err != nil {
		t.Fatal(err)
	}
	o.Timeout = 500 * time.Millisecond
	s := open(t, "s3://stalls", o)
	silent := func(w *network, req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	halfway := func(w *network, req *http.Request) (*http.Response, error) {
		resp, err := w.RoundTripper.RoundTrip(req)
		if err == nil {
			resp.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(io.LimitReader(resp.Body, 1<<20), waiting{req}), resp.Body}
		}
		return resp, err
	}
	for name, fault := range map[string]func(*network, *http.Request) (*http.Response, error){
		"silent": silent, "halfway": halfway,
	} {
		w.fault = fault
		w.n.Store(1)
		if got, err := storage.ReadAll(t.Context(), s, "object", 1<<30); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if w.n.Load() >= 0 {
			t.Errorf("%s: not repeated", name)
		}
	}

	// Without retries the first deadline ends the operation.
	o.RetryFor = -1
	w.n.Store(0)
	s, err := minio.Open(t.Context(), "s3://stalls", o)
	if err != nil {
		t.Fatal(err)
	}
	w.fault = silent
	w.n.Store(1)
	const slow = "delete object: the server does not answer in time"
	if err := s.Delete(t.Context(), "object"); err == nil || err.Error() != slow {
		t.Errorf("delete: %v", err)
	}
}

// waiting waits until the request is canceled.
type waiting struct{ req *http.Request }

func (w waiting) Read([]byte) (int, error) {
	<-w.req.Context().Done()
	return 0, w.req.Context().Err()
}
