package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/topksweep/sweep/sweep/guard"
)

// ErrUnknown is what a Source returns for a sweep that there is not.
var ErrUnknown = errors.New("no such sweep")

// An Entry is a line of the list of sweeps.
type Entry struct {
	ID    string
	State string // for people
}

// A Source reads what a Server shows. Only one of its methods is called at a time.
type Source interface {
	// List returns the sweeps in the order in which they are listed.
	List(ctx context.Context) ([]Entry, error)
	// Read returns what the report of a sweep shows now. The error wraps ErrUnknown if there is no such sweep.
	Read(ctx context.Context, sweep string) (Input, error)
}

const (
	freshFor  = 2 * time.Second // what was read of a source is not read again for so long at least
	freshMost = time.Minute     // and at most for so long
	freshPart = 10              // in between: so many times as long as reading it took
	patience  = time.Minute     // a source that takes longer to answer counts as one that does not
	mostPages = 8               // reports that are kept in memory
	pollBase  = 3000            // milliseconds between two questions of a page
	pollMost  = 30_000          // the same, for the largest reports
	pollSize  = 200 << 10       // a report of so many bytes may be asked for every pollBase
)

// A Server shows the reports of a Source to browsers on this machine: below URL, the list of sweeps at /, a report at
// /SWEEP/ and its data at /SWEEP/data.json. It answers GET and HEAD alone, and only what a guard.Guard lets through.
// The source is asked at most once every two seconds for each sweep, and never twice at a time, however many pages are
// open. Where it takes long to answer it is asked less often, so that it is not busy for more than a tenth of the time.
type Server struct {
	URL string // http://127.0.0.1:PORT/KEY/, which the user alone should know

	source   Source
	patience time.Duration
	server   *http.Server
	cancel   context.CancelFunc
	done     chan struct{}

	mu    sync.Mutex // held while the source is asked
	pages map[string]served
	list  []Entry
	fresh time.Time // until when list is
}

// A served is the data of one report, or why there are none.
type served struct {
	title string
	data  []byte
	tag   string
	err   error
	fresh time.Time // until when it is
}

// freshUntil returns until when what was read since began is not read again.
func freshUntil(began, now time.Time) time.Time {
	return now.Add(min(max(freshFor, freshPart*now.Sub(began)), freshMost))
}

// Serve starts a server on a listener, which must be on the loopback interface. Close ends it.
func Serve(l net.Listener, source Source) (*Server, error) {
	g, err := guard.New(l)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		URL: g.URL, source: source, patience: patience, cancel: cancel, done: make(chan struct{}), pages: map[string]served{},
	}
	s.server = &http.Server{
		Handler:           g.Handler(http.HandlerFunc(s.answer)),
		ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	go func() {
		defer close(s.done)
		s.server.Serve(l) // returns when Close is called
	}()
	return s, nil
}

// Close ends the server: requests that are being answered are cut off. It waits for those that ask the source.
func (s *Server) Close() {
	s.cancel()
	s.server.Close()
	<-s.done
	s.mu.Lock() // whoever holds it asks the source, with a context that is canceled
	defer s.mu.Unlock()
}

// answer answers what the guard lets through.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
		return
	}
	sweep, file, found := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	var err error
	switch {
	case sweep == "" && !found:
		err = s.serveList(w, r)
	case !found: // relative links need the slash
		w.Header().Set("Location", "./"+url.PathEscape(sweep)+"/")
		w.WriteHeader(http.StatusMovedPermanently)
	case file == "":
		err = s.servePage(w, r, sweep)
	case file == "data.json":
		err = s.serveData(w, r, sweep)
	default:
		err = ErrUnknown
	}
	switch {
	case errors.Is(err, ErrUnknown):
		http.Error(w, "not found", http.StatusNotFound)
	case err != nil && r.Context().Err() == nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

// page returns the data of a sweep's report: those that were read last, as long as they are fresh.
func (s *Server) page(ctx context.Context, sweep string) (served, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.pages[sweep]; ok && time.Now().Before(p.fresh) {
		return p, p.err
	}
	if err := ctx.Err(); err != nil {
		return served{}, err
	}
	began := time.Now()
	p, err := s.read(ctx, sweep)
	if err != nil && (ctx.Err() != nil || errors.Is(err, ErrUnknown)) {
		return served{}, err // nobody waits for it any more, or it may be there in a moment
	}
	p.err, p.fresh = err, freshUntil(began, time.Now())
	if _, ok := s.pages[sweep]; !ok && len(s.pages) >= mostPages {
		clear(s.pages)
	}
	s.pages[sweep] = p
	return p, err
}

// read makes the data of a sweep's report of what the source has.
func (s *Server) read(ctx context.Context, sweep string) (served, error) {
	asked, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	in, err := s.source.Read(asked, sweep)
	if errors.Is(asked.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("the store has not answered within %v: %w", s.patience, asked.Err())
	}
	if err != nil {
		return served{}, err
	}
	d, err := newDocument(in)
	if err != nil {
		return served{}, err
	}
	data, err := json.Marshal(d)
	if err != nil {
		return served{}, err
	}
	// A large report costs more to make: it is asked for less often.
	d.Poll = min(pollBase*max(1, len(data)/pollSize), pollMost)
	if data, err = json.Marshal(d); err != nil {
		return served{}, err
	}
	sum := sha256.Sum256(data)
	return served{title: d.Title, data: data, tag: `"` + hex.EncodeToString(sum[:12]) + `"`}, nil
}

func (s *Server) servePage(w http.ResponseWriter, r *http.Request, sweep string) error {
	p, err := s.page(r.Context(), sweep)
	if err != nil {
		return err
	}
	html, err := render(p.title, p.data, true)
	if err != nil {
		return err
	}
	style, script, err := parts()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", policy(style, script, true)+"; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(html))
	return nil
}

func (s *Server) serveData(w http.ResponseWriter, r *http.Request, sweep string) error {
	p, err := s.page(r.Context(), sweep)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", p.tag)
	w.Header().Set("Content-Type", "application/json")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.data)) // answers If-None-Match
	return nil
}

func (s *Server) serveList(w http.ResponseWriter, r *http.Request) error {
	list, err := s.entries(r.Context())
	if err != nil {
		return err
	}
	style, _, err := parts()
	if err != nil {
		return err
	}
	t, err := template.ParseFS(assets, "assets/list.html")
	if err != nil {
		return err
	}
	p := policy(style, "", true)
	var b bytes.Buffer
	if err := t.Execute(&b, struct {
		Policy string
		Style  template.CSS
		Sweeps []Entry
	}{p, template.CSS(style), list}); err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", p+"; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b.Bytes()))
	return nil
}

// entries returns the list of sweeps: the one that was read last, as long as it is fresh.
func (s *Server) entries(ctx context.Context) ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.fresh) {
		return s.list, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	began := time.Now()
	asked, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	list, err := s.source.List(asked)
	if err == nil {
		s.list, s.fresh = list, freshUntil(began, time.Now())
	}
	return list, err
}
