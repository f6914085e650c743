package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/payload"
)

// keysVariable names the file of keys where the flag does not.
const keysVariable = "SWEEP_PAYLOAD_KEYS"

// A payloadFlag is the value of the flag --payload-keys: the file of the keys that payloads are encrypted with.
type payloadFlag struct{ file string }

func (p *payloadFlag) addFlag(f *pflag.FlagSet) {
	f.StringVar(&p.file, "payload-keys", "", "`file` of keys with which the Temporal server's payloads are encrypted, "+
		"one a line, as openssl rand -base64 32 makes them: the first encrypts, all decrypt "+
		"(default: SWEEP_PAYLOAD_KEYS, else nothing is encrypted)")
}

// keys reads the file; there are no keys where none is named.
func (p *payloadFlag) keys() (*payload.Keys, error) {
	file := cmp.Or(p.file, os.Getenv(keysVariable))
	if file == "" {
		return &payload.Keys{}, nil
	}
	k, err := payload.ReadKeys(file)
	if err != nil {
		return nil, inputError{err}
	}
	return k, nil
}

// unreadableTasks returns a channel that gets the error of a task which could not be read for lack of a key, and a
// function that puts it there. Errors that come while nobody takes one are dropped: the task comes again.
func unreadableTasks() (tasks <-chan error, put func(method string, err error)) {
	c := make(chan error, 1)
	return c, func(method string, err error) {
		switch method {
		case workflowservice.WorkflowService_PollWorkflowTaskQueue_FullMethodName,
			workflowservice.WorkflowService_PollActivityTaskQueue_FullMethodName:
			select {
			case c <- err:
			default:
			}
		}
	}
}

// isUnreadable says that a server's answer came, and that this process has no key for it.
func isUnreadable(err error) bool {
	unreadable := (*serviceerror.FailedPrecondition)(nil)
	return errors.As(err, &unreadable)
}

// mostChecked bounds the sweeps that checkReadable looks at: those that were started last.
const mostChecked = 100

// checkReadable returns an error if a sweep runs whose payloads this process has no key for. A worker checks it before
// it takes anything: a task that it cannot read is lost until the server gives it to another one.
func checkReadable(ctx context.Context, srv *server) error {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	running, err := observe.Running(ctx, srv.client)
	if err != nil {
		return nil // what is wrong with the server shows elsewhere
	}
	for _, s := range running[:min(len(running), mostChecked)] {
		if _, err := srv.client.DescribeWorkflowExecution(ctx, s.ID, ""); isUnreadable(err) {
			return inputError{fmt.Errorf("sweep %s cannot be read: %w", s.ID, err)}
		}
	}
	return nil
}

// noteUnreadable says, once for each key that is missing, that a task of somebody's sweep cannot be read.
func noteUnreadable(ctx context.Context, env *environment, tasks <-chan error) {
	said := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-tasks:
			if !said[err.Error()] {
				said[err.Error()] = true
				fmt.Fprintf(env.errOut, "note: a sweep stands still here: %v\n", err)
			}
		}
	}
}
