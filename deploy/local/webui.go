//go:build !noserver

package local

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
)

// startWebUI serves the Web UI on l. The UI's server opens its port itself and ends the
// process if the port is busy, which could happen with a well-known port. So the UI gets
// a port that the kernel has just given out, and a reverse proxy serves l, which is open
// already.
func startWebUI(
	ctx context.Context, l net.Listener, grpcAddr, namespace string, keys uiconfig.TLS, log *slog.Logger,
) (stop func() error, err error) {
	private, err := net.Listen("tcp", hostPort(0))
	if err != nil {
		return nil, err
	}
	port := portOf(private)
	var ui *uiserver.Server
	if err := contain(func() error { // it panics on a bad configuration
		ui = uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
			Host:                loopback, // empty would mean every interface
			Port:                port,
			TemporalGRPCAddress: grpcAddr,
			TLS:                 keys,
			EnableUI:            true,
			DefaultNamespace:    namespace,
			HideLogs:            true,
			DisableNewsFetch:    true,
			CORS:                uiconfig.CORS{CookieInsecure: true}, // plain HTTP
		}))
		return nil
	}); err != nil {
		private.Close()
		return nil, fmt.Errorf("start Web UI: %w", err)
	}
	private.Close()
	uiDone := make(chan struct{})
	go func() {
		defer close(uiDone)
		_ = ui.Start() // returns nil after ui.Stop
	}()
	stopUI := func() {
		ui.Stop()
		<-uiDone
	}
	if err := awaitListening(ctx, hostPort(port)); err != nil {
		stopUI()
		return nil, fmt.Errorf("start Web UI: %w", err)
	}

	target := &url.URL{Scheme: "http", Host: hostPort(port)}
	transport := &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}
	warn := slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	front := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          warn,
		Handler: &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				r.Out.Host = r.In.Host // the UI compares a request's origin with it
			},
			Transport:     transport,
			FlushInterval: -1, // streams are passed on without delay
			ErrorLog:      warn,
		},
	}
	frontDone := make(chan struct{})
	go func() {
		defer close(frontDone)
		_ = front.Serve(l) // returns http.ErrServerClosed after front.Close
	}()
	return func() error {
		err := front.Close()
		<-frontDone
		stopUI()
		transport.CloseIdleConnections()
		return err
	}, nil
}

// webUIKeys are the keys with which the UI connects to the server on dir.
func webUIKeys(dir string) uiconfig.TLS {
	return uiconfig.TLS{
		CaFile: keyFile(dir, caFile), CertFile: keyFile(dir, clientCert), KeyFile: keyFile(dir, clientKey),
		ServerName: serverName, EnableHostVerification: true,
	}
}

// awaitListening waits until addr accepts connections.
func awaitListening(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	retry := time.NewTicker(2 * time.Millisecond)
	defer retry.Stop()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return err
		}
	}
}
