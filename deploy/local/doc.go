// Package local runs a whole Temporal service on this machine, inside this
// process: the real server (frontend, history, matching, worker) over one SQLite
// file, and the Temporal Web UI. It is what lets a sweep survive crashes with
// nothing installed but the binary.
//
// Everything it keeps lies in one directory:
//
//	temporal.db (-wal, -shm)  all workflows; SQLite in WAL mode, safe against kill -9
//	temporal.log (.1)         the server's own warnings and errors, bounded in size
//	server.lock               held by the one process that runs a server here
//	server.json               where that server listens, for other processes to join
//
// It listens on the loopback interface only, without authentication: whoever can
// log in to this machine can use it.
//
// This is the only package that may import the server (go.temporal.io/server and
// ui-server), which make up most of the binary and of its build time. The build
// tag noserver leaves them out: the package keeps its API and Start reports
// [ErrNoServer]. That is the build for machines that only run workers.
package local
