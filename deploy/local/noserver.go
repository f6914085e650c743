//go:build noserver

package local

import "context"

// Start returns ErrNoServer: this build does not contain the server.
func Start(context.Context, Options) (*Server, error) { return nil, ErrNoServer }
