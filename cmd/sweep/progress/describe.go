package progress

import (
	"fmt"
	"time"

	"github.com/topksweep/sweep/sweep/protocol"
)

// Describe says in a few words what a stage does now: its loss, dead latents and
// rate, or what it does when it does not train.
func Describe(b protocol.Heartbeat) string {
	if b.Doing != "" {
		return b.Doing
	}
	if b.Step == 0 {
		return "starting"
	}
	out := fmt.Sprintf("loss %.4g", b.Loss)
	if b.Dead > 0 {
		out += fmt.Sprintf("  %d dead", b.Dead)
	}
	return out + rate(b)
}

// rate is how long a stage will take, while it has steps to train, and its tokens per second.
func rate(b protocol.Heartbeat) string {
	if b.TokensPerSecond <= 0 || b.StepsPerSecond <= 0 {
		return ""
	}
	speed := fmt.Sprintf("  %s tok/s", threeDigits(b.TokensPerSecond))
	if b.Step >= b.Steps {
		return speed
	}
	left := time.Duration(float64(b.Steps-b.Step) / b.StepsPerSecond * float64(time.Second))
	return "  ETA " + Clock(left) + speed
}

// threeDigits writes a number with three digits and an SI prefix, as in 1.25M.
func threeDigits(x float64) string {
	for _, prefix := range []string{"", "k", "M", "G", "T"} {
		if x < 1000 {
			return fmt.Sprintf("%.3g%s", x, prefix)
		}
		x /= 1000
	}
	return fmt.Sprintf("%.3gP", x)
}

// Clock writes a duration as minutes and seconds, or hours, minutes and seconds.
func Clock(d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Hour {
		return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}
