package main

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/deploy/local"
)

// tlsHint says what to do about a server that could not be reached, if it may be a matter of TLS: a client without
// keys reads only that the connection has ended.
func tlsHint(ctx context.Context, opts client.Options) string {
	switch local.Ask(ctx, opts.HostPort) {
	case local.TakesKeys:
		return "this server of sweep run or sweep up takes only programs that have the keys in its state directory: " +
			"name that with --dir, or export TEMPORAL_CONFIG_FILE=DIR/temporal.toml, as sweep up prints it"
	case local.SpeaksTLS:
		if opts.ConnectionOptions.TLS == nil {
			return fmt.Sprintf("%s speaks TLS: say so with TEMPORAL_TLS=true, and name keys with TEMPORAL_TLS_CLIENT_CERT_PATH "+
				"and TEMPORAL_TLS_CLIENT_KEY_PATH if it wants them", opts.HostPort)
		}
	}
	return ""
}
