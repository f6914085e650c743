//go:build !noserver

package local

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
)

func hostPort(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// listen opens the port of a host that an option asks for. A positive asked takes that port, or is
// an error. 0 takes the preferred port, or any free one if it is busy. A negative asked
// takes any free port. what names the purpose, in errors and in the log.
func listen(what, host string, asked, preferred int, log *slog.Logger) (net.Listener, error) {
	at := func(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
	switch {
	case asked > 0:
		l, err := net.Listen("tcp", at(asked))
		if err != nil {
			return nil, fmt.Errorf("port %d for %s: %w; choose another, or none to take any free one", asked, what, err)
		}
		return l, nil
	case asked == 0:
		l, err := net.Listen("tcp", at(preferred))
		if err == nil {
			return l, nil
		}
		log.Info("port is busy, taking another", "for", what, "port", preferred)
	}
	l, err := net.Listen("tcp", at(0))
	if err != nil {
		return nil, fmt.Errorf("any port for %s: %w", what, err)
	}
	return l, nil
}

// ports are the ports that the four services listen on, those of the frontend on a host and the others on loopback.
type ports struct {
	host                                string
	frontend, history, matching, worker int
}

// address is where clients reach the frontend.
func (p ports) address() string { return net.JoinHostPort(p.host, strconv.Itoa(p.frontend)) }

// findPorts returns four different ports that are free now. The server opens them itself
// later, so that another program may take one in between. host, grpcPort and preferred are
// host, asked and preferred of listen, for the frontend.
func findPorts(host string, grpcPort, preferred int, log *slog.Logger) (p ports, err error) {
	p.host = host
	front, err := listen("gRPC", host, grpcPort, preferred, log)
	if err != nil {
		return p, err
	}
	p.frontend = portOf(front)
	held := []net.Listener{front} // all are open at the same time, so that they differ
	for _, port := range []*int{&p.history, &p.matching, &p.worker} {
		l, e := net.Listen("tcp", hostPort(0))
		if e != nil {
			err = e
			break
		}
		held = append(held, l)
		*port = portOf(l)
	}
	for _, l := range held {
		err = errors.Join(err, l.Close())
	}
	return p, err
}
