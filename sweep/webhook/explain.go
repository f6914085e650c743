package webhook

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
)

// explain returns the error of a request without the URL. Only errors that are known to hold an address at most are
// shown: that of a proxy's variable, for example, holds the proxy's password.
func explain(err error) error {
	var request *url.Error
	var cert *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.As(err, &request) && request.Timeout():
		return errors.New("no answer in time")
	case errors.As(err, &cert):
		return cert
	case errors.As(err, &op):
		return op
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection was closed without an answer")
	}
	return errors.New("the request failed: is it http or https, and are HTTPS_PROXY and HTTP_PROXY right?")
}
