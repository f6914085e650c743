//go:build !noserver

package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.temporal.io/sdk/client"
)

// A stranger asks the Web UI as another user or a page from elsewhere would.
type stranger struct {
	t *testing.T
	s *Server
}

// ask sends a request and returns status, headers and body. path is below the port. host is empty for that of the port.
func (a stranger) ask(method, path, host string) (int, http.Header, string) {
	a.t.Helper()
	at, err := url.Parse(a.s.UIURL)
	if err != nil {
		a.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(a.t.Context(), method, "http://"+at.Host+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin") // as the page's own script sends it
	if host != "" {
		r.Host = host + ":" + at.Port()
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := c.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(b)
}

// keyOf returns the path of a server's Web UI.
func keyOf(t *testing.T, s *Server) string {
	t.Helper()
	at, err := url.Parse(s.UIURL)
	if err != nil || !regexp.MustCompile(`^/[0-9a-f]{32}$`).MatchString(at.Path) {
		t.Fatalf("Web UI at %s: want a key of 128 bits; %v", s.UIURL, err)
	}
	return at.Path
}

// Who lacks the key reads nothing and changes nothing. Who has it does both. No file but server.json holds it.
func TestWebUIKey(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, func(o *Options) { o.UIPort = 0 })
	other := start(t, t.TempDir(), func(o *Options) { o.UIPort = 0 })
	key, a := keyOf(t, s), stranger{t, s}
	c := dial(t, s, DefaultNamespace)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "kept", TaskQueue: "nobody"}, "Any")
	if err != nil {
		t.Fatal(err)
	}
	api := "/api/v1/namespaces/" + DefaultNamespace
	cancel := api + "/workflows/kept/cancel"
	for _, q := range []struct {
		method, path, host string
		want               int
	}{
		{"GET", "/", "", 403},
		{"GET", api + "/workflows", "", 403},
		{"POST", cancel, "", 403},
		{"GET", "/healthz", "", 403},
		{"GET", "/_app/immutable/entry/start.js", "", 403},
		{"GET", "/render?content=x", "", 403},
		{"GET", keyOf(t, other) + api + "/workflows", "", 403},
		{"POST", keyOf(t, other) + cancel, "", 403},
		{"GET", api + "/workflows/kept/history?waitNewEvent=true", "", 403},
		{"GET", key + api + "/workflows", "evil.example", 421},
		{"POST", key + cancel, "evil.example", 421},
		{"GET", key + "/", "", 200},
		{"GET", key + "/namespaces/default/workflows/kept", "localhost", 200},
		{"GET", key + "/render?content=x", "", 200},
		{"GET", key + api + "/workflows/kept", "", 200},
		{"GET", key + "/api/v1/settings", "", 200},
		{"GET", key + api + "/workflows/kept/run/" + run.GetRunID() + "/history.json", "", 200},
	} {
		code, h, body := a.ask(q.method, q.path, q.host)
		if code != q.want {
			t.Errorf("%s %s at %q: %d %.300s, want %d", q.method, q.path, q.host, code, body, q.want)
		}
		if q.want != 200 && (strings.Contains(body, "kept") || strings.Contains(body+h.Get("Location"), key)) {
			t.Errorf("%s %s at %q tells a stranger: %v %.300s", q.method, q.path, q.host, h, body)
		}
	}
	if canceled(t, c) {
		t.Error("a stranger canceled a workflow")
	}
	if code, _, body := a.ask("POST", key+cancel, ""); code != 200 || !canceled(t, c) {
		t.Errorf("cancel with the key: %d %s", code, body)
	}
	info, ok, err := Running(dir)
	if err != nil || !ok || info.UIURL != s.UIURL {
		t.Errorf("server.json names %q, want %q; %v", info.UIURL, s.UIURL, err)
	}
	if f, err := os.Stat(filepath.Join(dir, infoName)); err != nil || f.Mode().Perm() != 0o600 {
		t.Errorf("server.json: %v, %v", f, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	looked := 0
	err = filepath.WalkDir(dir, func(path string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() {
			return err
		}
		looked++
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(key[1:])) {
			t.Errorf("%s holds the key after the end", path)
		}
		return err
	})
	if err != nil || looked == 0 {
		t.Fatal(looked, err)
	}
}

// canceled says whether somebody asked for the workflow's cancellation.
func canceled(t *testing.T, c client.Client) bool {
	t.Helper()
	history := c.GetWorkflowHistory(context.WithoutCancel(t.Context()), "kept", "", false, 0)
	for history.HasNext() {
		e, err := history.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e.GetWorkflowExecutionCancelRequestedEventAttributes() != nil {
			return true
		}
	}
	return false
}

// The page of the Web UI as it is served allows its own script alone, and finds everything below its path.
func TestMovePage(t *testing.T) {
	files, err := uiFiles("/key")
	if err != nil {
		t.Fatal(err)
	}
	b, err := files.(withPage).ReadFile("index.html")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	if strings.Contains(page, `"/_app/`) || !strings.Contains(page, `import("/key/_app/`) ||
		!strings.Contains(page, `base: "/key"`) {
		t.Errorf("not all is below /key:\n%s", page)
	}
	script := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindStringSubmatch(page)
	sum := sha256.Sum256([]byte(script[1]))
	if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; strings.Count(page, want) != 1 {
		t.Errorf("the policy lacks %s", want)
	}
	for _, bad := range []string{"", `base: ""`, `<meta http-equiv="content-security-policy" content="x">`} {
		if _, err := movePage([]byte(bad), "/key"); err == nil {
			t.Errorf("%q taken for the page", bad)
		}
	}
}
