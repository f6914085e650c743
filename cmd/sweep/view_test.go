package main

import (
	"testing"

	"github.com/topksweep/sweep/sweep/protocol"
)

// A line about something that is tried again says what it is.
func TestTrouble(t *testing.T) {
	store, header := planAndResults(t, 0)
	l := newLabels(t.Context(), store, header)
	const gone = "its worker is gone"
	for _, x := range []struct {
		trouble trouble
		want    string
	}{
		{trouble{protocol.ActivityTrain, 1, 2, gone}, "k=4: its worker is gone; attempt 2 goes on from the newest checkpoint"},
		{trouble{protocol.ActivityTrain, -1, 2, gone}, "a run in training: its worker is gone; attempt 2"},
		{trouble{protocol.ActivityEval, 0, 3, "put x: refused"}, "k=2: evaluating: put x: refused; attempt 3"},
		{trouble{protocol.ActivityPrepare, -1, 2, gone}, "planning: its worker is gone; attempt 2"},
		{trouble{protocol.ActivityFail, -1, 2, gone}, "noting a failure: its worker is gone; attempt 2"},
		{trouble{protocol.ActivityCollect, -1, 2, gone}, "collecting the results: its worker is gone; attempt 2"},
	} {
		if got := l.trouble(x.trouble); got != x.want {
			t.Errorf("%q, want %q", got, x.want)
		}
	}
}
