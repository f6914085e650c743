//go:build !noserver

package local

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"

	tlog "go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// serverLogger implements the server's log.Logger with slog. The server expects Fatal to
// end the process, and with it the sweep. Here Fatal ends only the goroutine that called
// it: the code after the call does not run, deferred calls do, and fx reports a start
// hook that ended.
type serverLogger struct {
	l     *slog.Logger
	tags  []tag.Tag         // turned into attributes only when something is logged
	fatal func(*fatalError) // called by Fatal, before the goroutine ends
}

var (
	_ tlog.Logger      = serverLogger{}
	_ tlog.WithLogger  = serverLogger{}
	_ tlog.SLogWrapper = serverLogger{}
)

func (s serverLogger) Debug(msg string, tags ...tag.Tag)  { s.log(slog.LevelDebug, msg, tags) }
func (s serverLogger) Info(msg string, tags ...tag.Tag)   { s.log(slog.LevelInfo, msg, tags) }
func (s serverLogger) Warn(msg string, tags ...tag.Tag)   { s.log(slog.LevelWarn, msg, tags) }
func (s serverLogger) Error(msg string, tags ...tag.Tag)  { s.log(slog.LevelError, msg, tags) }
func (s serverLogger) DPanic(msg string, tags ...tag.Tag) { s.log(slog.LevelError, msg, tags) }
func (s serverLogger) Panic(msg string, tags ...tag.Tag)  { s.Fatal(msg, tags...) }

func (s serverLogger) Fatal(msg string, tags ...tag.Tag) {
	s.log(slog.LevelError, msg, tags)
	err := &fatalError{msg: msg}
	for _, t := range tags {
		if t.Key() == "error" {
			err.cause = fmt.Sprint(t.Value())
		}
	}
	s.fatal(err)
	runtime.Goexit()
}

func (s serverLogger) With(tags ...tag.Tag) tlog.Logger {
	s.tags = append(slices.Clip(s.tags), tags...)
	return s
}

func (s serverLogger) SLog() *slog.Logger {
	return slog.New(s.l.Handler().WithAttrs(attrs(s.tags)))
}

func (s serverLogger) log(level slog.Level, msg string, tags []tag.Tag) {
	if ctx := context.Background(); s.l.Enabled(ctx, level) {
		s.l.LogAttrs(ctx, level, msg, append(attrs(s.tags), attrs(tags)...)...)
	}
}

func attrs(tags []tag.Tag) []slog.Attr {
	out := make([]slog.Attr, len(tags))
	for i, t := range tags {
		out[i] = slog.Any(t.Key(), t.Value())
	}
	return out
}

// fatalError is an error for which the server would have ended the process.
type fatalError struct{ msg, cause string }

func (e *fatalError) Error() string {
	if e.cause == "" {
		return e.msg
	}
	return e.msg + ": " + e.cause
}
