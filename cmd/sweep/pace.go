package main

import (
	"fmt"
	"net"
	"strings"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/sweep/protocol"
)

// A pace is how often this program calls a server while a sweep is trained.
type pace struct {
	heartbeat time.Duration // between two heartbeats of a stage, which show people how far its run is
	watch     time.Duration // between two questions of a verb that follows a sweep
}

const (
	pollInterval      = 500 * time.Millisecond
	heartbeatInterval = 2 * time.Second

	// Bounds of the time between two heartbeats. With the longest one a heartbeat may be lost, and the next be late,
	// before the worker counts as dead.
	minHeartbeat = time.Second
	maxHeartbeat = 2 * protocol.HeartbeatTimeout / 5
)

// usualPace is the pace for a server whose calls cost nothing.
func usualPace() pace { return pace{heartbeat: heartbeatInterval, watch: pollInterval} }

// cloudPace is the pace for Temporal Cloud, which bills each heartbeat and each query as an action. The calls are as
// rare as they can be for a worker that dies to be found as fast as elsewhere.
func cloudPace() pace { return pace{heartbeat: maxHeartbeat, watch: 10 * time.Second} }

// polls is how many questions of a verb that follows a sweep it takes to see that something lasts for a time: two at
// least, since one sees a moment.
func (p pace) polls(d time.Duration) int { return max(2, int(d/p.watch)) }

// pace is that of this server.
func (s *server) pace() pace {
	if s.cloud {
		return cloudPace()
	}
	return usualPace()
}

// onCloud says that a server is Temporal Cloud, by the name of its endpoint. With a private link the address is
// another one, and the name in the certificate is that of the endpoint.
func onCloud(opts client.Options) bool {
	host, _, err := net.SplitHostPort(opts.HostPort)
	if err != nil {
		host = opts.HostPort
	}
	names := []string{host}
	if to := opts.ConnectionOptions.TLS; to != nil {
		names = append(names, to.ServerName)
	}
	for _, name := range names {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if strings.HasSuffix(name, ".tmprl.cloud") || strings.HasSuffix(name, ".api.temporal.io") {
			return true
		}
	}
	return false
}

// checkHeartbeat checks the value of --heartbeat-every; 0 is the default of the server.
func checkHeartbeat(every time.Duration) error {
	if every != 0 && (every < minHeartbeat || every > maxHeartbeat) {
		return inputError{fmt.Errorf("--heartbeat-every %v: want a duration from %v to %v: a worker that is not heard of "+
			"for %v counts as dead", every, minHeartbeat, maxHeartbeat, protocol.HeartbeatTimeout)}
	}
	return nil
}
