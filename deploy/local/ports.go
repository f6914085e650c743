//go:build !noserver

package local

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
)

// loopback is the only interface that anything here listens on.
const loopback = "127.0.0.1"

func hostPort(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// listen opens the port that an option asks for. A positive asked takes that port, or is
// an error. 0 takes the preferred port, or any free one if it is busy. A negative asked
// takes any free port. what names the purpose, in errors and in the log.
func listen(what string, asked, preferred int, log *slog.Logger) (net.Listener, error) {
	switch {
	case asked > 0:
		l, err := net.Listen("tcp", hostPort(asked))
		if err != nil {
			return nil, fmt.Errorf("port %d for %s: %w; choose another, or none to take any free one", asked, what, err)
		}
		return l, nil
	case asked == 0:
		l, err := net.Listen("tcp", hostPort(preferred))
		if err == nil {
			return l, nil
		}
		log.Info("port is busy, taking another", "for", what, "port", preferred)
	}
	l, err := net.Listen("tcp", hostPort(0))
	if err != nil {
		return nil, fmt.Errorf("any port for %s: %w", what, err)
	}
	return l, nil
}

// ports are the ports that the four services listen on.
type ports struct{ frontend, history, matching, worker int }

// findPorts returns four different ports that are free now. The server opens them itself
// later, so that another program may take one in between. grpcPort and preferred are
// asked and preferred of listen, for the frontend.
func findPorts(grpcPort, preferred int, log *slog.Logger) (p ports, err error) {
	front, err := listen("gRPC", grpcPort, preferred, log)
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
