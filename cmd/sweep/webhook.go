package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/sweep/webhook"
)

// webhookVariable names the webhook where the flag does not.
const webhookVariable = "SWEEP_WEBHOOK"

// webhookWithin is how long a process that ends tries what people are still to be told.
const webhookWithin = 10 * time.Second

// A webhookFlag is the value of the flag --webhook: a URL, which is a secret, or a file that holds one.
type webhookFlag struct {
	value string
	given bool // also if it is "", which is nowhere
}

func (w *webhookFlag) addFlag(f *pflag.FlagSet) {
	f.Var(w, "webhook", "`file` that holds the URL to post to when runs fail, a sweep ends or a worker gives up, "+
		"or the URL itself, which others on this machine can then see (default: SWEEP_WEBHOOK)")
}

// Set implements pflag.Value. It returns no error, since one would show the value.
func (w *webhookFlag) Set(value string) error {
	w.value, w.given = value, true
	return nil
}

// String implements pflag.Value. It shows nothing.
func (w *webhookFlag) String() string { return "" }

// Type implements pflag.Value.
func (w *webhookFlag) Type() string { return "file" }

// target returns where messages go; the zero Target where no webhook is named.
func (w *webhookFlag) target() (webhook.Target, error) {
	value := w.value
	if !w.given {
		value = os.Getenv(webhookVariable)
	}
	to, err := webhook.Parse(value)
	if err != nil {
		return to, inputError{fmt.Errorf("--webhook or %s: %w", webhookVariable, err)}
	}
	return to, nil
}

// noteWebhook says where messages go, if they go anywhere.
func noteWebhook(env *environment, to webhook.Target) {
	if !to.IsZero() {
		fmt.Fprintf(env.errOut, "failures and ends of sweeps are posted to %s\n", to)
	}
}

// tell tells people what has happened to this worker.
func (w *workers) tell(event string, why error) {
	w.activities.Webhook.Send(webhook.Message{
		Event: event, Time: time.Now().UTC(), Worker: w.activities.Worker, Reason: why.Error(),
	})
}
