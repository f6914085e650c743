//go:build cuda

package driver

/*
#include <cuda.h>

static CUresult sweep_begin(CUstream s) { return cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL); }
static CUresult sweep_instantiate(CUgraphExec *e, CUgraph g) { return cuGraphInstantiateWithFlags(e, g, 0); }
*/
import "C"

import (
	"errors"
	"unsafe"
)

// A Graph is a recorded sequence of work that is launched in one call.
type Graph struct{ exec C.CUgraphExec }

// Capture records what record gives to the stream, without doing it. Addresses
// and arguments are recorded as they are.
func (s *Stream) Capture(record func() error) (*Graph, error) {
	if err := result(C.sweep_begin(s.raw())); err != nil {
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

// Launch does once what was recorded, as one item of the stream.
func (g *Graph) Launch(s *Stream) error {
	return op("launch graph", result(C.cuGraphLaunch(g.exec, s.raw())))
}

// Close gives the graph back.
func (g *Graph) Close() error { return op("close graph", result(C.cuGraphExecDestroy(g.exec))) }

func (s *Stream) raw() C.CUstream { return C.CUstream(unsafe.Pointer(s.s.C())) }
