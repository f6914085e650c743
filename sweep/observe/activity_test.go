package observe

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// base is a moment; at returns the one some seconds later.
var base = time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC)

func at(seconds int) *timestamppb.Timestamp {
	return timestamppb.New(base.Add(time.Duration(seconds) * time.Second))
}

func beatOf(t *testing.T, b protocol.Heartbeat) *common.Payloads {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayloads(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func pending(id, kind string, state enums.PendingActivityState) *workflow.PendingActivityInfo {
	return &workflow.PendingActivityInfo{
		ActivityId: id, ActivityType: &common.ActivityType{Name: kind}, State: state, Attempt: 1, ScheduledTime: at(0),
	}
}

const (
	scheduled = enums.PENDING_ACTIVITY_STATE_SCHEDULED
	started   = enums.PENDING_ACTIVITY_STATE_STARTED
)

// What a server tells of an activity is read field by field.
func TestActivity(t *testing.T) {
	worker := Identity(4711, "gpu-7", "cuda", 8)
	beat := protocol.Heartbeat{
		Cell: 12, Cells: 6, Run: "k=8", From: 100, Step: 120, Steps: 181, Loss: 0.5, Dead: 3, StepsPerSecond: 10,
		Device: "NVIDIA H100", Saved: base.Add(50 * time.Second), At: 110,
	}
	trains := pending("cells 12+5 (k=8 lr=1) steps 0-181", protocol.ActivityTrain, started)
	trains.LastStartedTime, trains.LastHeartbeatTime = at(40), at(60)
	trains.LastWorkerIdentity, trains.HeartbeatDetails = worker, beatOf(t, beat)
	waits := pending("cell 3 (k=16) steps 0-600", protocol.ActivityTrain, scheduled)
	began := pending("cells 12+5 (k=8) steps 0-181", protocol.ActivityTrain, started) // no heartbeat since
	began.LastStartedTime, began.LastHeartbeatTime, began.Attempt = at(70), at(60), 2
	began.LastWorkerIdentity, began.HeartbeatDetails = "another form", beatOf(t, beat)
	began.LastFailure = &failure.Failure{
		Message: "activity Heartbeat timeout", FailureInfo: &failure.Failure_TimeoutFailureInfo{
			TimeoutFailureInfo: &failure.TimeoutFailureInfo{TimeoutType: enums.TIMEOUT_TYPE_HEARTBEAT},
		},
	}
	again := pending("150", protocol.ActivityTrain, scheduled) // of an old history
	again.Attempt, again.LastAttemptCompleteTime, again.ScheduledTime = 3, at(80), at(140)
	again.LastFailure = &failure.Failure{Message: "read the data:\nEIO"}
	stops := pending("evaluate cell 4 (k=8 (a) )b)", protocol.ActivityEval, enums.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED)
	stops.LastStartedTime, stops.LastWorkerIdentity = at(90), worker
	held := pending("cell 5 () steps 10-20", protocol.ActivityTrain, enums.PENDING_ACTIVITY_STATE_PAUSED)
	held.Paused = true
	after := pending("6", protocol.ActivityTrain, scheduled)
	after.Attempt = 2
	after.LastFailure = &failure.Failure{Message: "stopping", FailureInfo: &failure.Failure_ApplicationFailureInfo{
		ApplicationFailureInfo: &failure.ApplicationFailureInfo{Type: errStopping},
	}}
	moment := func(seconds int) time.Time { return base.Add(time.Duration(seconds) * time.Second) }
	for _, x := range []struct {
		name  string
		of    *workflow.PendingActivityInfo
		want  protocol.LiveStage
		cause string
	}{
		{"training", trains, protocol.LiveStage{
			Cell: 12, Cells: 6, Label: "k=8", State: plan.Training, Step: 120, Steps: 181, Loss: 0.5, Dead: 3,
			StepsPerSecond: 10, Worker: worker, Host: "gpu-7", Device: "NVIDIA H100", Since: moment(40),
			Saved: moment(50), SavedStep: 110, Attempt: 1,
		}, ""},
		{"waiting", waits, protocol.LiveStage{
			Cell: 3, Cells: 1, Label: "k=16", State: plan.Waiting, Steps: 600, Since: moment(0), Attempt: 1,
		}, ""},
		{"began", began, protocol.LiveStage{ // neither the rate nor the device of the attempt before
			Cell: 12, Cells: 6, Label: "k=8", State: plan.Training, Step: 120, Steps: 181, Loss: 0.5, Dead: 3,
			Worker: "another form", Since: moment(70), Saved: moment(50), SavedStep: 110, Attempt: 2, Error: workerGone,
		}, workerGone},
		{"again", again, protocol.LiveStage{
			Cell: -1, State: plan.Waiting, Since: moment(80), Attempt: 3, Error: "read the data: EIO",
		}, "read the data: EIO"},
		{"stopping", stops, protocol.LiveStage{
			Cell: 4, Cells: 1, Label: "k=8 (a) )b", State: plan.Evaluating, Worker: worker, Host: "gpu-7", Since: moment(90),
			Attempt: 1,
		}, ""},
		{"paused", held, protocol.LiveStage{ // it was not begun: it is where the stage before it ended
			Cell: 5, Cells: 1, State: plan.Paused, Step: 10, Steps: 20, Since: moment(0), Attempt: 1,
		}, ""},
		{"after a stop", after, protocol.LiveStage{Cell: -1, State: plan.Waiting, Since: moment(0), Attempt: 2}, ""},
		{"nothing", &workflow.PendingActivityInfo{}, protocol.LiveStage{Cell: -1, State: plan.Waiting}, ""},
	} {
		x.want.ID = x.of.GetActivityId()
		got := newActivity(x.of)
		if !reflect.DeepEqual(got.LiveStage, x.want) || got.Cause != x.cause {
			t.Errorf("%s:\n%+v, cause %q, want\n%+v, cause %q", x.name, got.LiveStage, got.Cause, x.want, x.cause)
		}
	}
}

// The host of a worker is known too where it has the name that Temporal gave to workers of older versions.
func TestHost(t *testing.T) {
	for identity, want := range map[string]string{
		Identity(4711, "gpu-7", "cuda", 8): "gpu-7", Identity(1, "a@b", "cpu", 1): "a@b",
		"4711@gpu-7@": "gpu-7", "4711@gpu-7@sweep": "gpu-7", "4711@a@b@": "a@b", "4711@ρηχός@": "ρηχός",
		"": "", "@": "", "@@": "", "4711@@": "", "4711@gpu-7": "", "x@gpu-7@": "", "-1@gpu-7@": "", "@gpu-7@": "",
		"another form": "", "4711": "",
	} {
		p := pending("cell 0 () steps 0-10", protocol.ActivityTrain, started)
		p.LastWorkerIdentity = identity
		a := newActivity(p)
		if a.Host != want || a.Worker != identity {
			t.Errorf("%q is the worker %q on the host %q, want %q", identity, a.Worker, a.Host, want)
		}
	}
}

// A history holds what Look returns: texts have bounds, wherever they come from, and numbers are those of JSON.
func TestActivityBounds(t *testing.T) {
	long := strings.Repeat("é\n", 3000)
	p := pending("cell 1 ("+long+") steps 0-10", protocol.ActivityTrain, started)
	p.LastWorkerIdentity = "1@" + long + " (cpu, 1 slot)"
	p.HeartbeatDetails = beatOf(t, protocol.Heartbeat{Steps: 10, Run: long, Doing: long, Device: long})
	p.Attempt, p.LastFailure = 2, &failure.Failure{Message: "open x: " + long + ": the cause"}
	a := newActivity(p)
	for name, text := range map[string]string{
		"label": a.Label, "worker": a.Worker, "host": a.Host, "device": a.Device, "doing": a.Doing,
	} {
		if text == "" || len(text) > 100 || !utf8.ValidString(text) {
			t.Errorf("%s has %d bytes: %q", name, len(text), text)
		}
	}
	if len(a.Error) > 200 || !strings.HasSuffix(a.Error, "the cause") {
		t.Errorf("error %q", a.Error)
	}
	if newActivity(&workflow.PendingActivityInfo{ActivityId: "cell 1 (k=\xff) steps 0-1"}).Label != "k=\uFFFD" {
		t.Error("a label that is no UTF-8 is kept")
	}
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if finite(x) != 0 {
			t.Errorf("%v is not left out", x)
		}
	}
}

// IDs of activities name cells; IDs of another form name none.
func TestParseActivityID(t *testing.T) {
	for _, x := range []struct {
		id   string
		want activityID
		ok   bool
	}{
		{"cell 12 (k=8 dict_size=512) steps 0-600", activityID{12, 1, "k=8 dict_size=512", 0, 600}, true},
		{"cells 12+5 (k=8 …) steps 0-181", activityID{12, 6, "k=8 …", 0, 181}, true},
		{"evaluate cell 0 (k=8)", activityID{0, 1, "k=8", 0, 0}, true},
		{"evaluate cell 0", activityID{0, 1, "", 0, 0}, true},
		{"cell 3 (a) steps 1-2) steps 5-9, no. 2", activityID{3, 1, "a) steps 1-2", 5, 9}, true},
		{"cell 3 steps 5-9", activityID{3, 1, "", 5, 9}, true},
		{"cell 3 (k=8) steps 5", activityID{3, 1, "k=8", 0, 0}, true},
		{"cell 3 (k=8) steps 9-5", activityID{3, 1, "k=8", 0, 0}, true},
		{"cell 3 (k=8) steps 5-9 #2", activityID{3, 1, "k=8", 5, 9}, true},
		{"cell 3 steps 5-9, no. 12", activityID{3, 1, "", 5, 9}, true},
		{"cells 3+1 (k=8) steps 5-9, no. 3", activityID{3, 2, "k=8", 5, 9}, true},
		{"evaluate cell 7 (k=8), no. 2", activityID{7, 1, "k=8", 0, 0}, true},
		{"evaluate cell 7, no. 2", activityID{7, 1, "", 0, 0}, true},
		{"150", activityID{}, false},
		{"", activityID{}, false},
		{"cell", activityID{}, false},
		{"cell -1 (k=8) steps 0-1", activityID{}, false},
		{"cell 99999999999999999999 (k=8) steps 0-1", activityID{}, false},
		{"cells 1 (k=8) steps 0-1", activityID{}, false},
		{"cells 1+ (k=8) steps 0-1", activityID{}, false},
		{"prepare chunk 0", activityID{}, false},
		{"look 7", activityID{}, false},
	} {
		got, ok := parseActivityID(x.id)
		if ok != x.ok || ok && got != x.want {
			t.Errorf("%q: %+v, %t, want %+v, %t", x.id, got, ok, x.want, x.ok)
		}
	}
}

func FuzzParseActivityID(f *testing.F) {
	for _, id := range []string{
		"cell 12 (k=8) steps 0-600", "cells 12+5 (k) steps 0-1", "evaluate cell 1 (a)", "7", "cell 1 )(",
	} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		a, ok := parseActivityID(id)
		if ok && (a.cell < 0 || a.cells < 1 || a.from < 0 || a.to < a.from || !strings.Contains(id, a.label)) {
			t.Errorf("%q: %+v", id, a)
		}
	})
}

// Activities that a worker has come first, the longest-running of them at the head, then those that wait.
func TestOrder(t *testing.T) {
	one := func(cell int, started bool, state plan.Status, since int) Activity {
		a := Activity{Started: started}
		a.Cell, a.State, a.Since = cell, state, base.Add(time.Duration(since)*time.Second)
		return a
	}
	list := []Activity{
		one(0, false, plan.Paused, 0), one(1, false, plan.Waiting, 1), one(2, true, plan.Training, 9),
		one(3, true, plan.Evaluating, 4), one(4, true, plan.Training, 4), one(5, false, plan.Waiting, 0),
	}
	sortActivities(list)
	var got []int
	for _, a := range list {
		got = append(got, a.Cell)
	}
	if want := []int{3, 4, 2, 5, 1, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A stage that somebody pauses by itself is paused and nothing else, also while its worker still saves its state.
func TestCountOfPausedStages(t *testing.T) {
	saving := pending("cell 1 (k=8) steps 0-20", protocol.ActivityTrain, enums.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED)
	saving.Paused = true
	held := pending("cell 2 (k=8) steps 0-20", protocol.ActivityTrain, enums.PENDING_ACTIVITY_STATE_PAUSED)
	held.Paused = true
	o := Observation{Activities: []Activity{
		newActivity(pending("cell 0 (k=8) steps 0-20", protocol.ActivityTrain, started)), newActivity(saving),
		newActivity(pending("cell 3 (k=8) steps 0-20", protocol.ActivityTrain, scheduled)), newActivity(held),
	}}
	if live, _ := o.live(false); live.Training != 1 || live.Waiting != 1 || len(live.Stages) != 4 {
		t.Errorf("%+v, want 1 in training, 1 waiting, 4 in all", live)
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"": "''", "ann": "'ann'", `o'b\r`: `'o\'b\\r'`, "' OR 1=1 --": `'\' OR 1=1 --'`,
	} {
		if got := quote(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
