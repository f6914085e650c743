//go:build !noserver

package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Credentials in the environment reach neither what verbs print nor any file of the state directory: the database with
// the histories, logs, plans, results. Here they belong to a store that refuses them, and to no server at all.
func TestCredentialsAreKept(t *testing.T) {
	t.Parallel()
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>")
	}))
	t.Cleanup(refuses.Close)
	planted := variables{
		"AWS_ACCESS_KEY_ID=planted-id", "AWS_SECRET_ACCESS_KEY=planted-secret", "AWS_SESSION_TOKEN=planted-token",
		"TEMPORAL_API_KEY=planted-api-key", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL_S3=" + refuses.URL,
	}
	dir, grid := t.TempDir(), writeGrid(t, demoGrid)
	var said strings.Builder
	run := func(want int, args ...string) {
		t.Helper()
		p := planted.start(t, dir, args...)
		status := p.exitStatus(t)
		if status != want {
			t.Errorf("%v: status %d, want %d\n%s", args, status, want, p.err.String())
		}
		said.WriteString(p.out.String() + p.err.String())
	}
	run(exitOK, "run", grid, "--no-ui")
	run(exitOK, "list", "-o", "json")
	run(exitError, "run", grid, "--no-ui", "--store", "s3://bucket/p")
	run(exitError, "list", "--store", "s3://bucket/p")
	run(exitError, "submit", grid, "--address", strings.TrimPrefix(refuses.URL, "http://"))
	run(exitError, "worker", "--address", strings.TrimPrefix(refuses.URL, "http://"))
	for _, v := range []string{"status", "worker", "run", "submit"} {
		run(exitOK, v, "--help")
	}

	read, named := said.String(), false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		read += string(b)
		named = named || strings.HasPrefix(d.Name(), "temporal.db") && strings.Contains(string(b), "demo")
		return err
	})
	if err != nil || !named || !strings.Contains(said.String(), "Access Denied") {
		t.Errorf("this test looks in the wrong place: %v\n%s", err, said.String())
	}
	for _, v := range planted[:4] {
		_, secret, _ := strings.Cut(v, "=")
		if i := strings.Index(read, secret); i >= 0 {
			t.Errorf("%s is in %q", secret, read[max(0, i-100):min(len(read), i+100)])
		}
	}
}
