//go:build !noserver

package local

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/common/rpc/encryption"
	"go.temporal.io/server/temporal"
)

const (
	clusterName   = "active"
	historyShards = 4 // fixed for the life of a database
	startTries    = 3 // another program may take a free port before the server opens it
	readyTimeout  = 30 * time.Second
)

// startTemporal starts the four services and waits until they answer. It returns the
// frontend's address, and a function that stops the services. preferred is the port for
// GRPCPort 0.
func startTemporal(
	ctx context.Context, conf *config.SQL, o Options, preferred int, log *slog.Logger,
) (addr string, stop func() error, err error) {
	keys, err := tlsOf(o.Dir)
	if err != nil {
		return "", nil, err
	}
	for try := 1; ; try++ {
		p, err := findPorts(o.Listen, o.GRPCPort, preferred, o.Logger)
		if err != nil {
			return "", nil, err
		}
		srv, err := launch(temporalConfig(conf, p), p, keys, !o.withoutFairness, o.HistoryLimit, log, o.Logger)
		var fatal *fatalError
		if errors.As(err, &fatal) && try < startTries && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return "", nil, fmt.Errorf("start Temporal server: %w", err)
		}
		addr, stop = p.address(), func() error { return contain(srv.Stop) }
		if err := awaitReady(ctx, addr, keys.FrontendClientConfig, o.Namespace, log); err != nil {
			return "", nil, errors.Join(fmt.Errorf("wait for Temporal server at %s: %w", addr, err), stop())
		}
		return addr, stop, nil
	}
}

// launch starts the server, with fairness between the keys of a queue if fair is true. It
// returns a *fatalError if the server wanted to end the process during that. A later wish
// to end the process is logged to user.
func launch(
	conf *config.Config, p ports, keys *encryption.FixedTLSConfigProvider, fair bool, historyLimit int,
	log, user *slog.Logger,
) (srv temporal.Server, err error) {
	var first atomic.Pointer[fatalError]
	var started atomic.Bool
	logger := serverLogger{l: log, fatal: func(err *fatalError) {
		if !started.Load() {
			first.CompareAndSwap(nil, err) // launch returns it
			return
		}
		user.Error("Temporal server: " + err.Error())
	}}
	host := func(port int) static.Hosts { return static.SingleLocalHost(hostPort(port)) }
	err = contain(func() (err error) {
		srv, err = temporal.NewServer(
			temporal.WithConfig(conf),
			temporal.ForServices(temporal.DefaultServices),
			temporal.WithStaticHosts(map[primitives.ServiceName]static.Hosts{ // instead of the ring protocol
				primitives.FrontendService: static.SingleLocalHost(p.address()),
				primitives.HistoryService:  host(p.history),
				primitives.MatchingService: host(p.matching),
				primitives.WorkerService:   host(p.worker),
			}),
			temporal.WithLogger(logger),
			temporal.WithTLSConfigFactory(keys),
			temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
			temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper {
				return authorization.NewNoopClaimMapper()
			}),
			temporal.WithDynamicConfigClient(limited(historyLimit, dynamicconfig.StaticClient{
				dynamicconfig.EnableServerVersionCheck.Key():                     false, // it would ask a server on the internet
				dynamicconfig.HistoryCacheHostLevelMaxSize.Key():                 8096,
				dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,
				// Each queue has one partition, because priorities and fairness hold
				// only within a partition.
				dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
				dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
				// Within a priority, tasks of different fairness keys take turns.
				dynamicconfig.MatchingEnableFairness.Key(): fair,
			})),
		)
		if err != nil {
			return err
		}
		return srv.Start()
	})
	started.Store(true)
	if f := first.Load(); f != nil {
		if err == nil { // one goroutine of the server failed, but the others started
			return nil, errors.Join(f, contain(srv.Stop))
		}
		return nil, f
	}
	return srv, err
}

// limited adds a limit of the size of histories to a configuration. The server suggests to continue as new at a twelfth
// of it, as by default.
func limited(historyLimit int, c dynamicconfig.StaticClient) dynamicconfig.StaticClient {
	if historyLimit > 0 {
		c[dynamicconfig.HistorySizeLimitError.Key()] = historyLimit
		c[dynamicconfig.HistorySizeSuggestContinueAsNew.Key()] = historyLimit / 12
	}
	return c
}

// tlsOf returns what the four services need of the keys on dir: each takes only clients
// with the same keys, be it a program of the user or another of the services.
func tlsOf(dir string) (*encryption.FixedTLSConfigProvider, error) {
	server, err := serverTLS(dir)
	if err != nil {
		return nil, err
	}
	client, err := clientTLS(dir)
	if err != nil {
		return nil, err
	}
	return &encryption.FixedTLSConfigProvider{
		InternodeServerConfig: server, InternodeClientConfig: client,
		FrontendServerConfig: server, FrontendClientConfig: client,
	}, nil
}

// temporalConfig returns the configuration of a cluster of one host with all services and
// without archival.
func temporalConfig(conf *config.SQL, p ports) *config.Config {
	const store, off = "sqlite", "disabled"
	service := func(host string, port int) config.Service {
		return config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: host}}
	}
	return &config.Config{
		Global: config.Global{Membership: config.Membership{
			MaxJoinDuration: readyTimeout, BroadcastAddress: loopback,
		}},
		Persistence: config.Persistence{
			DefaultStore: store, VisibilityStore: store, NumHistoryShards: historyShards,
			DataStores: map[string]config.DataStore{store: {SQL: conf}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: p.address()},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			string(primitives.FrontendService): service(p.host, p.frontend),
			string(primitives.HistoryService):  service(loopback, p.history),
			string(primitives.MatchingService): service(loopback, p.matching),
			string(primitives.WorkerService):   service(loopback, p.worker),
		},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: off},
			Visibility: config.VisibilityArchival{State: off},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: off},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: off},
		}},
		PublicClient: config.PublicClient{HostPort: p.address()},
	}
}

// awaitReady waits until the server answers a request that needs the frontend, the
// namespace and the database. The client retries while the services find each other.
func awaitReady(ctx context.Context, addr string, keys *tls.Config, namespace string, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	c, err := client.NewLazyClient(client.Options{
		HostPort: addr, Namespace: namespace, Logger: sdklog.NewStructuredLogger(log),
		ConnectionOptions: client.ConnectionOptions{TLS: keys},
	})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace})
	return err
}

var errExited = errors.New("the goroutine ended itself")

// contain runs f in a goroutine of its own and returns its error. A panic in f, and a
// Fatal, which ends the goroutine, become errors too.
func contain(f func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errExited
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
			done <- err
		}()
		err = f()
	}()
	return <-done
}
