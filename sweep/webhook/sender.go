package webhook

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	queued  = 64               // messages that wait; what comes besides is dropped
	timeout = 10 * time.Second // of one try
	longest = 5 * time.Minute  // between two tries, whatever a server asks for
)

// delays are those between the tries of a message: a server that is restarted, or a network that is away for some
// minutes, loses none.
func delays() []time.Duration {
	return []time.Duration{2 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute}
}

// A Sender posts messages to one target, one after the other. Many goroutines may use it. A nil Sender posts nothing.
type Sender struct {
	to     Target
	log    *slog.Logger
	client *http.Client
	delays []time.Duration

	mu     sync.Mutex
	queue  []*message // the oldest first, without the one that is being tried
	fails  bool       // a try has failed, and the next one follows later
	closed bool

	wake  chan struct{} // gets a value when the queue may have a message
	stop  chan struct{} // closed by Close
	ended chan struct{} // closed when the goroutine has ended
	ctx   context.Context
	end   context.CancelFunc
}

// A message is a Message on its way.
type message struct {
	event string
	body  []byte
	tried chan struct{}
}

// New returns a sender, or nil for the zero Target. Close ends it.
func New(to Target, log *slog.Logger) *Sender { return newSender(to, log, delays()) }

func newSender(to Target, log *slog.Logger, delays []time.Duration) *Sender {
	if to.IsZero() {
		return nil
	}
	ctx, end := context.WithCancel(context.Background())
	s := &Sender{
		to: to, log: log.With("webhook", to.String()), delays: delays,
		client: &http.Client{
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true},
			Timeout:   timeout,
			// The body is for this host alone, and a redirect of a POST mostly ends as a GET.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		wake: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}), ctx: ctx, end: end,
	}
	go s.run()
	return s
}

// Send hands a message over, and returns at once. The channel is closed when nothing is gained by waiting any more: the
// message was tried once, one before it waits for its next try, or it is dropped because too many wait.
func (s *Sender) Send(m Message) (tried <-chan struct{}) {
	done := make(chan struct{})
	if s == nil {
		close(done)
		return done
	}
	body, err := json.Marshal(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.log.Warn("message is not sent", "event", m.Event, "error", err)
	case s.closed, len(s.queue) == queued:
		s.log.Warn("message is dropped: too many wait", "event", m.Event)
	default:
		next := &message{event: m.Event, body: body, tried: done}
		s.queue = append(s.queue, next)
		if s.fails {
			next.release()
		}
		select {
		case s.wake <- struct{}{}:
		default:
		}
		return done
	}
	close(done)
	return done
}

// release closes the channel that Send has returned. The caller has the sender's lock.
func (m *message) release() {
	if m.tried != nil {
		close(m.tried)
		m.tried = nil
	}
}

// Close tries what is left once more, for so long at most, and ends the sender. It may be called again.
func (s *Sender) Close(within time.Duration) {
	if s == nil {
		return
	}
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.stop)
	}
	s.mu.Unlock()
	timer := time.AfterFunc(within, s.end)
	<-s.ended
	timer.Stop()
	s.end()
	s.client.CloseIdleConnections()
}

func (s *Sender) run() {
	defer close(s.ended)
	for {
		if m := s.next(); m != nil {
			s.deliver(m)
			continue
		}
		select {
		case <-s.wake:
		case <-s.stop:
			if m := s.next(); m != nil {
				s.deliver(m)
				continue
			}
			return
		}
	}
}

// next takes the oldest message from the queue; nil if there is none.
func (s *Sender) next() *message {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return nil
	}
	m := s.queue[0]
	s.queue = s.queue[1:]
	return m
}

// deliver tries a message until it is taken, refused, or given up.
func (s *Sender) deliver(m *message) {
	for tries := 1; ; tries++ {
		after, final, err := s.post(m.body)
		s.wasTried(m, err != nil && !final)
		if err == nil {
			return
		}
		if final || tries > len(s.delays) || !s.pause(max(after, s.delays[tries-1])) {
			s.log.Warn("message is given up", "event", m.event, "tries", tries, "error", err)
			return
		}
	}
}

// wasTried tells those who wait for a message, and, if it is to be tried again, those who wait for the others.
func (s *Sender) wasTried(m *message, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.release()
	if s.fails = again; again {
		for _, other := range s.queue {
			other.release()
		}
	}
}

// pause waits between two tries. It returns false if the sender was closed before: nothing more is tried then. If it is
// closed meanwhile, the next try follows at once, and is the last.
func (s *Sender) pause(d time.Duration) bool {
	select {
	case <-s.stop:
		return false
	default:
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.stop:
	}
	return true
}

// post tries once. final says that another try would be the same; after is how long the server wants to be left alone.
func (s *Sender) post(body []byte) (after time.Duration, final bool, err error) {
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.to.url.String(), bytes.NewReader(body))
	if err != nil {
		return 0, true, errors.New("the request cannot be made")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "sweep")
	answer, err := s.client.Do(r)
	if err != nil {
		return 0, false, explain(err)
	}
	answer.Body.Close() // what a server says may repeat the URL
	code := answer.StatusCode
	err = fmt.Errorf("the server answered %d %s", code, cmp.Or(http.StatusText(code), "unknown"))
	switch {
	case code/100 == 2:
		return 0, true, nil
	case code/100 == 3:
		return 0, true, fmt.Errorf("%w: redirects are not followed; give the URL that it leads to", err)
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code/100 == 5:
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
		return min(longest, time.Duration(max(0, min(seconds, 3600)))*time.Second), false, err
	}
	return 0, true, err
}
