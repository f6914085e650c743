// Package storage is where a sweep keeps what must not get lost: checkpoints,
// plans and results. It holds the Store interface, which storage/dir and
// storage/minio implement, and on top of it the checkpoint protocol
// (Checkpoints) and the JSON of plans and results.
//
// The protocol needs four methods and one conditional write from a store, and
// treats what it stores as opaque bytes: what a training state looks like is the
// trainer's matter. docs/checkpoints.md specifies what lies under which key, and
// why.
//
// The package uses the standard library only, reads no clock and no environment,
// and imports nothing else of this module.
package storage
