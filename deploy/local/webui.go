//go:build !noserver

package local

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/api"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/route"
	uifiles "github.com/temporalio/ui-server/v2/ui"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/topksweep/sweep/sweep/guard"
)

// maxUIMessage is how many bytes of an answer the Web UI takes, as histories may be large.
const maxUIMessage = 64 << 20

// startWebUI serves the Web UI on l and returns its URL, which holds the key that lets its user in. The UI's own server
// would open a port that every user of the machine can connect to, so only its routes are used. keys are those of a
// client of the server.
func startWebUI(
	l net.Listener, grpcAddr string, o Options, keys *tls.Config, log *slog.Logger,
) (url string, stop func() error, err error) {
	g, err := guard.New(l)
	if err != nil {
		return "", nil, err
	}
	conn, err := dialFrontend(grpcAddr, keys)
	if err != nil {
		return "", nil, err
	}
	ui, err := newWebUI(conn, grpcAddr, o, g.Prefix(), log)
	if err != nil {
		conn.Close()
		return "", nil, fmt.Errorf("start Web UI: %w", err)
	}
	server := &http.Server{
		Handler:           g.Handler(ui),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // returns http.ErrServerClosed after server.Close
	}()
	return strings.TrimSuffix(g.URL, "/"), func() error {
		err := server.Close()
		<-done
		return errors.Join(err, conn.Close())
	}, nil
}

// dialFrontend connects the Web UI to the server. It returns at once: the connection is made when it is needed.
func dialFrontend(addr string, keys *tls.Config) (*grpc.ClientConn, error) {
	return grpc.NewClient(addr, grpc.WithTransportCredentials(credentials.NewTLS(keys)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxUIMessage)))
}

// newWebUI puts the handler of the Web UI together, as the UI's own server does, less what needs the network: logins,
// and the question whether there are new versions. prefix is the path at which browsers see it. Requests come without.
func newWebUI(
	conn *grpc.ClientConn, grpcAddr string, o Options, prefix string, log *slog.Logger,
) (http.Handler, error) {
	with := &uiconfig.Config{TemporalGRPCAddress: grpcAddr, DefaultNamespace: o.Namespace, DisableNewsFetch: true}
	if o.PayloadCodec != nil {
		with.Codec.Endpoint = prefix + codecPath
	}
	settings, err := uiconfig.NewConfigProviderWithRefresh(with)
	if err != nil {
		return nil, err
	}
	files, err := uiFiles(prefix)
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.Logger.SetOutput(slog.NewLogLogger(log.Handler(), slog.LevelWarn).Writer())
	e.Use(middleware.Recover(), middleware.Gzip())
	e.Use(middleware.SecureWithConfig(middleware.SecureConfig{XFrameOptions: "SAMEORIGIN"})) // it frames what it renders
	e.Use(csrf.EnsureTokenCookie(false), middleware.CSRFWithConfig(csrf.MiddlewareConfig(settings, false)))
	e.GET("/api/v1/settings", api.GetSettings(settings))
	e.GET("/api/v1/ui-extensions", api.GetUIExtensions(settings, nil))
	history := api.WorkflowRawHistoryHandler(workflowservice.NewWorkflowServiceClient(conn))
	e.GET("/api/v1"+api.WorkflowRawHistoryUrl, history)
	e.Any("/api/v1/*", api.TemporalAPIHandler(settings, nil, conn))
	if err := route.SetUIRoutes(e, "", files, settings); err != nil {
		return nil, err
	}
	route.SetRenderRoute(e, "/")
	return withCodec(e, o.PayloadCodec), nil
}

// uiFiles returns the files of the Web UI for browsers that see them below prefix.
func uiFiles(prefix string) (fs.FS, error) {
	all, err := uifiles.Assets()
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(all, "local")
	if err != nil {
		return nil, err
	}
	page, err := fs.ReadFile(files, "index.html")
	if err != nil {
		return nil, err
	}
	page, err = movePage(page, prefix)
	return withPage{files, page}, err
}

// withPage has a page of its own in place of index.html.
type withPage struct {
	fs.FS
	page []byte
}

// ReadFile implements fs.ReadFileFS.
func (f withPage) ReadFile(name string) ([]byte, error) {
	if name == "index.html" {
		return f.page, nil
	}
	return fs.ReadFile(f.FS, name)
}

var (
	policyTag = regexp.MustCompile(`<meta http-equiv="content-security-policy" content="[^"]*">`)
	scripts   = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// movePage makes the Web UI's page work below prefix. Its script changes by that, and so does the page's policy, which
// names the script by its hash. The policy also forbids the page to ask or to show anything but this server's answers.
func movePage(page []byte, prefix string) ([]byte, error) {
	moved := bytes.ReplaceAll(page, []byte(`base: ""`), []byte(`base: "`+prefix+`"`))
	if bytes.Equal(moved, page) {
		return nil, errors.New("the page of the Web UI does not say where it is")
	}
	moved = bytes.ReplaceAll(moved, []byte(`"/_app/`), []byte(`"`+prefix+`/_app/`))
	policy := "default-src 'self'; img-src 'self' data:; font-src 'self' data:; manifest-src data:; " +
		"style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'; " +
		"script-src 'strict-dynamic'"
	for _, script := range scripts.FindAllSubmatch(moved, -1) {
		sum := sha256.Sum256(script[1])
		policy += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	if !policyTag.Match(moved) {
		return nil, errors.New("the page of the Web UI has no policy")
	}
	// Without an icon the browser asks for one at the root, where it is refused.
	tag := `<meta http-equiv="content-security-policy" content="` + policy + `">` +
		`<link rel="icon" href="` + prefix + `/favicon.ico">`
	return policyTag.ReplaceAllLiteral(moved, []byte(tag)), nil
}
