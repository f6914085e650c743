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

// startWebUI serves the Web UI on l. The UI's server opens a port by itself and ends
// the process if that is taken, which a well-known port may be at any moment. So it
// gets a private port that the kernel has just handed out, and a reverse proxy
// listens on l, which is already ours.
func startWebUI(ctx context.Context, l net.Listener, grpcAddr, namespace string, log *slog.Logger) (stop func() error, err error) {
	private, err := net.Listen("tcp", hostPort(0))
	if err != nil {
		return nil, err
	}
	port := portOf(private)
	var ui *uiserver.Server
	if err := contain(func() error { // it panics on a bad configuration
		ui = uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
			Host:                loopback, // empty would be every interface
			Port:                port,
			TemporalGRPCAddress: grpcAddr,
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
		_ = ui.Start() // nil once stopped
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
				r.Out.Host = r.In.Host // what the UI checks a request's origin against
			},
			Transport:     transport,
			FlushInterval: -1, // pass streams on at once
			ErrorLog:      warn,
		},
	}
	frontDone := make(chan struct{})
	go func() {
		defer close(frontDone)
		_ = front.Serve(l) // http.ErrServerClosed once stopped
	}()
	return func() error {
		err := front.Close()
		<-frontDone
		stopUI()
		transport.CloseIdleConnections()
		return err
	}, nil
}

// awaitListening waits until addr takes connections.
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
