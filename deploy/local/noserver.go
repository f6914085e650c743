//go:build noserver

package local

import "context"

// Start reports ErrNoServer: this build has no server in it.
func Start(context.Context, Options) (*Server, error) { return nil, ErrNoServer }
