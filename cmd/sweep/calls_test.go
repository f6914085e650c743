//go:build !noserver

package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/sweep/protocol"
)

// Servers that bill each call are called more rarely, by the names that their endpoints have.
func TestPaceOfServers(t *testing.T) {
	for address, want := range map[string]bool{
		"sae.a1b2c.tmprl.cloud:7233": true, "SAE.a1b2c.TMPRL.cloud.:7233": true,
		"us-east-1.aws.api.temporal.io:7233": true, "aws-us-east-1.region.tmprl.cloud:7233": true,
		"temporal.internal:7233": false, "127.0.0.1:7233": false, "[::1]:7233": false, "tmprl.cloud.example:7233": false,
		"nottmprl.cloud:7233": false, "temporal": false,
	} {
		if got := onCloud(client.Options{HostPort: address}); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	private := client.Options{HostPort: "vpce-0123.vpce-svc-4567.us-east-1.vpce.amazonaws.com:7233"}
	private.ConnectionOptions.TLS = &tls.Config{ServerName: "sae.a1b2c.tmprl.cloud"}
	if !onCloud(private) {
		t.Error("a private link to Temporal Cloud is not known as one")
	}
	usual, cloud := (&server{}).pace(), (&server{cloud: true}).pace()
	if usual.heartbeat != 2*time.Second || cloud.heartbeat != 8*time.Second || usual.watch >= cloud.watch {
		t.Errorf("usual %v, Temporal Cloud %v", usual, cloud)
	}
	if usual.polls(slotTimeout) != 20 || cloud.polls(slotTimeout) != 2 {
		t.Errorf("%d and %d polls", usual.polls(slotTimeout), cloud.polls(slotTimeout))
	}
	// A heartbeat may be lost, and the next be four seconds late, before a worker counts as dead or silent.
	if 2*maxHeartbeat+4*time.Second > protocol.HeartbeatTimeout || maxHeartbeat >= silentAfter {
		t.Errorf("the longest time between two heartbeats is %v", maxHeartbeat)
	}
	for every, good := range map[time.Duration]bool{
		0: true, time.Second: true, 8 * time.Second: true,
		time.Millisecond: false, -time.Second: false, 9 * time.Second: false,
	} {
		if err := checkHeartbeat(every); (err == nil) != good {
			t.Errorf("--heartbeat-every %v: %v", every, err)
		}
	}
	o := (&workers{heartbeat: 8 * time.Second}).options("x")
	if o.MaxHeartbeatThrottleInterval != 8*time.Second || o.DefaultHeartbeatThrottleInterval != 8*time.Second {
		t.Errorf("the SDK is told %v and %v", o.MaxHeartbeatThrottleInterval, o.DefaultHeartbeatThrottleInterval)
	}
}

// callsVariable in the environment has TestCalls train and watch for so long, to measure.
const callsVariable = "SWEEP_TEST_CALLS"

// TestCalls counts what a worker and a verb that follows a sweep ask of the server. Of a short sweep it checks that no
// more is sent than the sweep is worth.
func TestCalls(t *testing.T) {
	t.Parallel()
	long, _ := time.ParseDuration(os.Getenv(callsVariable))
	dir, away := t.TempDir(), t.TempDir()
	_, info := startServer(t, dir, "--slots", "1", "--no-report")
	makeNamespace(t, info, "research")
	c := inResearch(t, info)
	_, err := c.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{
		Namespace: "research", SearchAttributes: searchAttributes(),
	})
	if err != nil {
		t.Fatal(err)
	}
	g := startGate(t, info, newAuthority(t), nil, "key")
	v := variables{"SWEEP_STORE=" + filepath.Join(away, "store"), "TEMPORAL_ADDRESS=" + g.address,
		"TEMPORAL_NAMESPACE=research", "TEMPORAL_API_KEY=key", "TEMPORAL_TLS_SERVER_CA_CERT_PATH=" + g.authority.file}
	every := cmp.Or(os.Getenv("SWEEP_TEST_HEARTBEAT"), "8s")
	worker := v.start(t, away, "worker", "--slots", "1", "--heartbeat-every", every)
	began := time.Now()
	if long > 0 {
		grid := writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 100000000", "k: [2, 4], auxk_alpha: [0, 0.03125]",
			"k: [2]"))
		v.run(t, away, "submit", grid)
		follows := v.start(t, away, "watch", "small")
		waitFor(t, "a run in training", func() bool { return g.counted()["RecordActivityTaskHeartbeat"] > 2 })
		before, from := g.counted(), time.Now()
		<-time.After(long) // a measurement, not a test
		day := float64(24*time.Hour) / float64(time.Since(from))
		for method, n := range g.counted() {
			if n -= before[method]; n > 0 {
				t.Logf("%-32s %4d, %10.0f a day", method, n, float64(n)*day)
			}
		}
		follows.Process.Kill()
		v.run(t, away, "cancel", "small")
	} else {
		grid := writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 50"))
		v.run(t, away, "submit", grid, "--wait")
	}
	worker.terminate(t)
	calls := g.counted()
	for _, method := range slices.Sorted(maps.Keys(calls)) {
		t.Logf("%-32s %4d", method, calls[method])
	}
	id := strings.Fields(v.run(t, away, "list"))[5]
	events := eventsOf(t, c, id)
	t.Logf("events of %s: %v", id, events)
	activities := events[enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]
	most := 2*activities + int(time.Since(began)/(8*time.Second)) // one as each begins, and one as some end
	if got := calls["RecordActivityTaskHeartbeat"]; long == 0 && (got > most || activities == 0) {
		t.Errorf("%d heartbeats of %d activities in %v; want at most %d", got, activities, time.Since(began), most)
	}
}

// inResearch connects to the server of sweep up, in the namespace research.
func inResearch(t *testing.T, info local.Info) client.Client {
	t.Helper()
	keys, err := info.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.DialContext(t.Context(), embeddedOptions(info.HostPort, "research", keys))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// eventsOf counts the events of a workflow's history by their type.
func eventsOf(t *testing.T, c client.Client, id string) map[enums.EventType]int {
	t.Helper()
	events := map[enums.EventType]int{}
	history := c.GetWorkflowHistory(context.Background(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		if err != nil {
			t.Fatal(err)
		}
		events[e.GetEventType()]++
	}
	return events
}
