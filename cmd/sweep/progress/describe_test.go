package progress

import (
	"testing"
	"time"

	"github.com/topksweep/sweep/sweep/protocol"
)

func TestDescribe(t *testing.T) {
	for _, x := range []struct {
		beat protocol.Heartbeat
		want string
	}{
		{protocol.Heartbeat{Doing: "evaluating", Step: 100, Steps: 100}, "evaluating"},
		{protocol.Heartbeat{Steps: 100}, "starting"},
		{protocol.Heartbeat{Step: 1, Steps: 100, Loss: 0.123456}, "loss 0.1235"},
		{
			protocol.Heartbeat{Step: 40, Steps: 100, Loss: 2, Dead: 3, StepsPerSecond: 0.5, TokensPerSecond: 1.25e6},
			"loss 2  3 dead  ETA 2:00  1.25M tok/s",
		},
	} {
		if got := Describe(x.beat); got != x.want {
			t.Errorf("%q, want %q", got, x.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, x := range []struct {
		got, want string
	}{
		{threeDigits(0), "0"}, {threeDigits(999), "999"}, {threeDigits(1000), "1k"},
		{threeDigits(12_345), "12.3k"}, {threeDigits(2e15), "2P"},
		{Clock(0), "0:00"}, {Clock(59_600 * time.Millisecond), "1:00"},
		{Clock(59*time.Minute + 59*time.Second), "59:59"},
		{Clock(25*time.Hour + 2*time.Second), "25:00:02"},
	} {
		if x.got != x.want {
			t.Errorf("%q, want %q", x.got, x.want)
		}
	}
}
