// Package storage keeps what a sweep must not lose: checkpoints, plans and
// results. It has the Store interface, which storage/dir and storage/minio
// implement, and on top of it the checkpoint protocol (Checkpoints) and the reading
// and writing of JSON.
//
// The protocol needs four methods and one conditional write from a store. What it
// stores are bytes to it: only the trainer knows the form of a training state.
// docs/checkpoints.md specifies what lies under which key, and why.
//
// The package uses the standard library only, reads no clock and no environment,
// and imports nothing else of this module.
package storage
