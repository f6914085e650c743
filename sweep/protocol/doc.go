// Package protocol is what workflows ask of activities: the names of queues, workflows and activities, and the structs
// that travel between them. Package workflows and package activities never import each other; this is all that they
// share. People steer and ask workflows by the updates and the query here. Activities are given cells as indices into
// the stored plan and read their settings there, so that histories stay small. Only trees (plan.TreeCell) bring more to
// the workflow: decay_start, steps, the number of the AuxK setting, and a label.
//
// The JSON of these structs is stored in histories. Keys never change, whatever
// the Go names are (testdata/payloads.json holds them).
package protocol
