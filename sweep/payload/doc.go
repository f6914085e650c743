// Package payload encrypts what the program gives a Temporal server to keep: inputs and results of workflows and
// activities, heartbeats, queries, updates, summaries and the texts of failures. It does so at the connection, so that
// the rest of the program reads and writes plain values.
//
// A payload that cannot be decrypted fails the call that brought it. It never reaches a workflow or an activity, which
// would fail for good because of it.
package payload
