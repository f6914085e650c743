package local

import (
	"context"
	"crypto/tls"
	"slices"
	"time"
)

// A Manner is what a server says of itself to anybody, before it knows who asks.
type Manner int

// These are the manners of servers.
const (
	Unknown   Manner = iota // there is none, or it does not speak TLS
	SpeaksTLS               // another server, which speaks TLS
	TakesKeys               // a server of this package, which takes only clients with its keys
)

// askTimeout bounds the question to a port that accepts connections and is silent.
const askTimeout = 5 * time.Second

// Ask finds out why a server at HOST:PORT may refuse a client. It sends nothing of the user.
func Ask(ctx context.Context, address string) Manner {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, // only the name in the certificate is read, and only to explain an error
		NextProtos:         []string{"h2"},
	}}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return Unknown
	}
	defer conn.Close()
	certs := conn.(*tls.Conn).ConnectionState().PeerCertificates
	if len(certs) > 0 && slices.Contains(certs[0].Subject.Organization, organization) {
		return TakesKeys
	}
	return SpeaksTLS
}
