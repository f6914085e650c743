package activities

import (
	"context"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
)

// The heartbeat goes on while a canceled run saves its state, and stops with its
// activity.
func TestHeartbeat(t *testing.T) {
	a := &Activities{beat: time.Nanosecond}
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	beats, ended := make(chan struct{}), make(chan struct{})
	env.RegisterActivityWithOptions(func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		stop := a.heartbeat(ctx, func() any {
			select {
			case beats <- struct{}{}:
			case <-ended:
			}
			return nil
		})
		cancel()
		for range 10 {
			<-beats
		}
		close(ended)
		stop()
		return nil
	}, activity.RegisterOptions{Name: "beats"})
	if _, err := env.ExecuteActivity("beats"); err != nil {
		t.Fatal(err)
	}
}

// The speed is measured over a window, not over single steps.
func TestProgressRate(t *testing.T) {
	p := &progress{beat: protocol.Heartbeat{Cell: 3, Steps: 100}}
	at := time.Unix(1e9, 0)
	p.doing("opening the data")
	if got := p.get(); got.Doing != "opening the data" {
		t.Errorf("%+v", got)
	}
	p.step(at, 40, trainer.Stats{Loss: 9}, 16) // the attempt began with step 39
	p.step(at.Add(rateWindow/2), 50, trainer.Stats{Loss: 8}, 16)
	if got := p.get(); got.StepsPerSecond != 0 {
		t.Errorf("a rate from half a window: %+v", got)
	}
	p.step(at.Add(2*rateWindow), 60, trainer.Stats{Loss: 7, Dead: 2}, 16)
	want := protocol.Heartbeat{Cell: 3, Step: 60, Steps: 100, Loss: 7, Dead: 2, StepsPerSecond: 10, TokensPerSecond: 160}
	if got := p.get(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}
