package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/topksweep/sweep/storage"
)

// A bucket is an S3 server with one bucket, as far as opening a store needs it.
type bucket struct {
	refuses bool // every write
	ignores bool // the condition of a write
	mu      sync.Mutex
	objects map[string]bool
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fail := func(status int, code string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s.</Message></Error>", code, code)
	}
	switch {
	case r.Method != http.MethodPut && r.Method != http.MethodDelete:
	case b.refuses:
		fail(http.StatusForbidden, "AccessDenied")
	case r.Method == http.MethodDelete:
		delete(b.objects, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	case b.objects[r.URL.Path] && r.Header.Get("If-None-Match") == "*" && !b.ignores:
		fail(http.StatusPreconditionFailed, "PreconditionFailed")
	default:
		b.objects[r.URL.Path] = true
	}
}

// A bucket that a sweep cannot write to safely is found when it is opened for
// writing. Reading it is still possible.
func TestBuckets(t *testing.T) {
	for _, v := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "MINIO_ENDPOINT", "AWS_CA_BUNDLE"} {
		t.Setenv(v, "")
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "user")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "password")
	for _, test := range []struct {
		name   string
		server *bucket
		want   string // in the error; empty for none
	}{
		{"good", &bucket{}, ""},
		{"refuses writes", &bucket{refuses: true}, "store s3://sweeps/team: a first small write failed: putnew probe/"},
		{"ignores conditions", &bucket{ignores: true}, "store s3://sweeps/team: its server ignores If-None-Match on PUT"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.server.objects = map[string]bool{}
			server := httptest.NewServer(test.server)
			defer server.Close()
			url := "s3://sweeps/team?region=us-east-1&addressing=path&endpoint=" + server.URL
			s, err := openStore(t.Context(), url)
			switch {
			case test.want == "" && err != nil, test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Fatalf("opened for writing: %v, want %q", err, test.want)
			case test.want == "":
				if err := storage.PutBytes(t.Context(), s, "a/b", []byte("x")); err != nil {
					t.Error(err)
				}
			}
			if _, err := readStore(t.Context(), url); err != nil {
				t.Errorf("opened for reading: %v", err)
			}
			for key := range test.server.objects {
				if strings.Contains(key, "probe") {
					t.Errorf("%s is left", key)
				}
			}
		})
	}
}
