package guard

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// listening is a listener that says it is at an address.
type listening struct {
	net.Listener
	at net.TCPAddr
}

func (l listening) Addr() net.Addr { return &l.at }

func newGuard(t *testing.T, port int) *Guard {
	t.Helper()
	g, err := New(listening{at: net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// ask sends a request past a guard to a handler that answers with all it is told.
func ask(g *Guard, method, target, host string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = host
	r.Header.Set("Referer", g.URL)
	w := httptest.NewRecorder()
	g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "inside ")
		r.Write(w)
		io.WriteString(w, r.RequestURI+" "+r.URL.Path+" "+r.URL.EscapedPath())
	})).ServeHTTP(w, r)
	return w
}

// Only the key, under a name of this machine with the port, opens; nobody is told the key who did not have it.
func TestGuard(t *testing.T) {
	g, other := newGuard(t, 8233), newGuard(t, 8234)
	if len(g.key) != 32 || g.key == other.key || g.URL != "http://127.0.0.1:8233/"+g.key+"/" {
		t.Fatalf("keys %q and %q, link %s", g.key, other.key, g.URL)
	}
	key := g.Prefix()
	for _, c := range []struct {
		method, target, host string
		want                 int
		path                 string // that the handler sees
	}{
		{"GET", key + "/", "127.0.0.1:8233", 200, "/"},
		{"GET", key + "/a/b?c=d", "localhost:8233", 200, "/a/b?c=d"},
		{"POST", key + "/a%2Fb/c", "LOCALHOST:8233", 200, "/a%2Fb/c"},
		{"GET", key + "//a", "[::1]:8233", 200, "//a"},
		{"GET", key + "/", "evil.example:8233", 421, ""},
		{"GET", key + "/", "localhost.evil.example:8233", 421, ""},
		{"GET", key + "/", "127.0.0.1:8234", 421, ""},
		{"GET", key + "/", "127.0.0.1", 421, ""},
		{"GET", key + "/", "", 421, ""},
		{"GET", "/", "127.0.0.1:8233", 403, ""},
		{"POST", "/api/v1/namespaces/default/workflows", "127.0.0.1:8233", 403, ""},
		{"OPTIONS", "*", "127.0.0.1:8233", 403, ""},
		{"GET", other.Prefix() + "/", "127.0.0.1:8233", 403, ""},
		{"GET", "/" + strings.ToUpper(g.key) + "x/", "127.0.0.1:8233", 403, ""},
		{"GET", key[:32] + "/", "127.0.0.1:8233", 403, ""},
		{"GET", key + "0/", "127.0.0.1:8233", 403, ""},
		{"GET", key + "%2F", "127.0.0.1:8233", 403, ""},
		{"GET", "/x" + key + "/", "127.0.0.1:8233", 403, ""},
		{"GET", "/?" + key, "127.0.0.1:8233", 403, ""},
	} {
		w := ask(g, c.method, c.target, c.host)
		body := w.Body.String()
		if w.Code != c.want || strings.Contains(body, "inside") != (c.want == 200) {
			t.Errorf("%s %s at %q: %d %s, want %d", c.method, c.target, c.host, w.Code, body, c.want)
		}
		if path, _, _ := strings.Cut(c.path, "?"); !strings.HasSuffix(body, path) ||
			c.want == 200 && !strings.HasPrefix(body, "inside "+c.method+" "+c.path+" ") {
			t.Errorf("%s %s: the handler saw %q, want %s", c.method, c.target, body, c.path)
		}
		if strings.Contains(body, g.key) || w.Header().Get("Location") != "" {
			t.Errorf("%s %s at %q tells the key: %v %s", c.method, c.target, c.host, w.Header(), body)
		}
		if h := w.Header(); h.Get("Referrer-Policy") != "no-referrer" || h.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(h.Get("Cache-Control"), "private") || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %s: headers %v", c.method, c.target, h)
		}
		if c.want == 403 && !strings.Contains(body, "sweep status") {
			t.Errorf("%s %s: does not say how to get the link: %s", c.method, c.target, body)
		}
	}
}

// The link without its last slash leads to the page.
func TestSlash(t *testing.T) {
	g := newGuard(t, 8233)
	w := ask(g, "GET", g.Prefix(), "127.0.0.1:8233")
	if to := w.Header().Get("Location"); w.Code != 307 || to != g.key+"/" {
		t.Errorf("%d to %q, want %s/", w.Code, to, g.key)
	}
}

// At port 80 a browser names the host alone.
func TestPort80(t *testing.T) {
	g := newGuard(t, 80)
	for host, want := range map[string]int{
		"localhost": 200, "127.0.0.1": 200, "[::1]": 200, "127.0.0.1:80": 200, "localhost:8080": 421, "evil.example": 421,
	} {
		if w := ask(g, "GET", g.Prefix()+"/", host); w.Code != want {
			t.Errorf("%s: %d, want %d", host, w.Code, want)
		}
	}
}

// Only the loopback interface is served.
func TestElsewhere(t *testing.T) {
	if _, err := New(listening{at: net.TCPAddr{IP: net.IPv4zero, Port: 80}}); err == nil {
		t.Error("every interface is served")
	}
}
