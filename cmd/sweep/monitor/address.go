package monitor

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Address returns the host:port that a text stands for: "host:port", or ":port" and "port" on the loopback interface.
// Port 0 is any free one.
func Address(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil && !strings.Contains(text, ":") {
		host, port, err = "", text, nil
	}
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		return "", fmt.Errorf("%q: want a port as in 9464, or host:port as in 0.0.0.0:9464", text)
	} else {
		port = strconv.FormatUint(n, 10)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}
