// Package protocol is what workflows ask of activities: the names of queues,
// workflows and activities, and the structs that travel between them. Package
// workflows and package activities never import each other; this is all that
// they share. Cells travel as indices into the stored plan, never as settings, so
// that histories stay small.
//
// The JSON of these structs is stored in histories. Keys never change, whatever
// the Go names are (testdata/payloads.json holds them).
package protocol
