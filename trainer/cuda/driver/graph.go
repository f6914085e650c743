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
//
// Nothing that waits for the whole device may run meanwhile: CUDA would end the capture. Capture keeps what
// this package does of that kind waiting (Device.captures). Memory may be allocated and freed in other
// threads: the capture's mode is thread-local.
func (s *Stream) Capture(record func() error) (*Graph, error) {
	graph, err := s.capture(record)
	if err != nil {
		return nil, err
	}
	defer C.cuGraphDestroy(graph)
	g := &Graph{}
	if err := result(C.sweep_instantiate(&g.exec, graph)); err != nil {
		return nil, op("instantiate graph", err)
	}
	return g, nil
}

func (s *Stream) capture(record func() error) (graph C.CUgraph, err error) {
	s.device.captures.RLock()
	defer s.device.captures.RUnlock()
	if err := result(C.sweep_begin_capture(s.raw())); err != nil {
		return nil, op("capture", err)
	}
	recorded := record()
	err = op("capture", result(C.cuStreamEndCapture(s.raw(), &graph)))
	if recorded != nil && err == nil {
		C.cuGraphDestroy(graph)
	}
	return graph, errors.Join(recorded, err)
}

// Launch puts all recorded work on the stream once.
func (g *Graph) Launch(s *Stream) error {
	return op("launch graph", result(C.cuGraphLaunch(g.exec, s.raw())))
}

// Close frees the graph.
func (g *Graph) Close() error { return op("close graph", result(C.cuGraphExecDestroy(g.exec))) }

func (s *Stream) raw() C.CUstream { return C.CUstream(unsafe.Pointer(s.s.C())) }
