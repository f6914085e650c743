// Package local runs a whole Temporal service on this machine, inside this process: the
// real server (frontend, history, matching, worker) over one SQLite file, and the
// Temporal Web UI. With it a sweep survives crashes, and nothing needs to be installed
// but the binary.
//
// All state lies in one directory:
//
//	temporal.db (-wal, -shm)  all workflows; SQLite in WAL mode, which survives kill -9
//	temporal.log (.1)         the server's own warnings and errors, limited in size
//	server.lock               locked by the one process that runs a server here
//	server.json               the server's addresses, for other processes
//	keys/                     keys of the server and of its clients; temporal.toml names them
//	temporal.toml             how other programs connect, in Temporal's own format
//
// The server listens on the loopback interface only, unless Options.Listen names an address
// for the port of its clients. Each of its ports takes only clients with the keys in the
// directory: neither other users of this machine nor other machines can use it without.
//
// This is the only package that may import the server (go.temporal.io/server and
// ui-server), which makes up most of the binary and of its build time. A build with the
// tag noserver does not contain it: the package has the same API, but Start returns
// [ErrNoServer]. That build is for machines that only run workers.
package local
