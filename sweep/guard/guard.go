// Package guard stands before what a process serves to the browsers of its user, on the loopback interface. Every user
// of the machine can connect there, and a web page from anywhere can make the user's browser ask there. So a guard lets
// a request through only under a name of this machine, and only if the first part of its path is the guard's key.
//
// The key is in the path, because other ways are shared with strangers. A browser sends the cookies of 127.0.0.1 to all
// of its ports, and so to servers of other users.
package guard

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A Guard is that of one listener. Its key is new each time and is stored nowhere: whoever is to know it is given URL.
type Guard struct {
	URL string // http://127.0.0.1:PORT/KEY/

	key   string
	hosts []string
}

// New returns a guard for a listener with a new key of 128 random bits. The error says that the listener is not on the
// loopback interface.
func New(l net.Listener) (*Guard, error) {
	at, ok := l.Addr().(*net.TCPAddr)
	if !ok || !at.IP.IsLoopback() {
		return nil, fmt.Errorf("serve at %s: want an address of the loopback interface", l.Addr())
	}
	var key [16]byte
	rand.Read(key[:]) // never fails
	g := &Guard{key: hex.EncodeToString(key[:])}
	g.URL = "http://" + at.String() + g.Prefix() + "/"
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		g.hosts = append(g.hosts, host+":"+strconv.Itoa(at.Port))
		if at.Port == 80 { // which browsers do not name
			g.hosts = append(g.hosts, host)
		}
	}
	return g, nil
}

// Prefix returns /KEY, with which the path of every request begins that is let through.
func (g *Guard) Prefix() string { return "/" + g.key }

// Handler returns a handler that passes on to next what is let through. next never sees the key: the path of its
// request lacks the prefix. It may replace the headers that are set before, which forbid a page everything.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer") // a Referer would tell the key
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cache-Control", "private, no-cache")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if !slices.Contains(g.hosts, strings.ToLower(r.Host)) {
			http.Error(w, "this server answers as localhost alone, at its own port", http.StatusMisdirectedRequest)
			return
		}
		given, rest, found := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
		if subtle.ConstantTimeCompare([]byte(given), []byte(g.key)) != 1 {
			http.Error(w, `This page opens only by its whole link: "sweep up" and "sweep run" print it, `+
				`and "sweep status SWEEP" shows it.`, http.StatusForbidden)
			return
		}
		if !found { // relative links need the slash
			h.Set("Location", given+"/")
			w.WriteHeader(http.StatusTemporaryRedirect)
			return
		}
		u := *r.URL
		u.Path, u.RawPath = strings.TrimPrefix(u.Path, g.Prefix()), "/"+rest
		inner := r.WithContext(r.Context())
		inner.URL, inner.RequestURI = &u, u.RequestURI()
		inner.Header = r.Header.Clone()
		inner.Header.Del("Referer")
		next.ServeHTTP(w, inner)
	})
}
