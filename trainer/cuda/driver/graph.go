//go:build cuda

package driver

/*
#include <cuda.h>

static CUresult sweep_begin_capture(CUstream s) { return cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL); }
static CUresult sweep_instantiate(CUgraphExec *e, CUgraph g) { return cuGraphInstantiateWithFlags(e, g, 0); }
*/
import "C"

import (
	"errors"
	"unsafe"
)

// A Graph is a recorded sequence of work that one call launches.
type Graph struct{ exec C.CUgraphExec }

// Capture calls record and makes a Graph of the work that record puts on the stream,
// instead of doing it. The graph holds addresses and arguments as they are now.
func (s *Stream) Capture(record func() error) (*Graph, error) {
	if err := result(C.sweep_begin_capture(s.raw())); err != nil {
		return nil, op("capture", err)
	}
	recorded := record()
	var graph C.CUgraph
	err := result(C.cuStreamEndCapture(s.raw(), &graph))
	if err := errors.Join(recorded, op("capture", err)); err != nil {
		return nil, err
	}
	defer C.cuGraphDestroy(graph)
	g := &Graph{}
	return g, op("instantiate graph", result(C.sweep_instantiate(&g.exec, graph)))
}

// Launch puts all recorded work on the stream once.
func (g *Graph) Launch(s *Stream) error {
	return op("launch graph", result(C.cuGraphLaunch(g.exec, s.raw())))
}

// Close frees the graph.
func (g *Graph) Close() error { return op("close graph", result(C.cuGraphExecDestroy(g.exec))) }

func (s *Stream) raw() C.CUstream { return C.CUstream(unsafe.Pointer(s.s.C())) }
