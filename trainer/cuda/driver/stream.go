//go:build cuda

package driver

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// A Stream does what it is given in that order, beside what other streams do.
type Stream struct{ s cu.Stream }

// Stream makes a stream that waits for no other.
func (d *Device) Stream() (*Stream, error) {
	s, err := cu.MakeStream(cu.NonBlocking)
	if err != nil {
		return nil, op("make stream", err)
	}
	return &Stream{s}, nil
}

// Close ends the stream once it has done all that it was given.
func (s *Stream) Close() error { return op("close stream", s.s.Destroy()) }

// Synchronize waits until the stream has done all that it was given. Errors of
// kernels show here.
func (s *Stream) Synchronize() error { return op("synchronize stream", s.s.Synchronize()) }

// Upload copies pinned host memory to the device; src stays as it is until then.
func (s *Stream) Upload(dst Ptr, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	return op(fmt.Sprintf("upload %d bytes", len(src)), cu.MemcpyHtoDAsync(cu.DevicePtr(dst), unsafe.Pointer(&src[0]), int64(len(src)), s.s))
}

// Download copies the device's memory to pinned host memory.
func (s *Stream) Download(dst []byte, src Ptr) error {
	if len(dst) == 0 {
		return nil
	}
	return op(fmt.Sprintf("download %d bytes", len(dst)), cu.MemcpyDtoHAsync(unsafe.Pointer(&dst[0]), cu.DevicePtr(src), int64(len(dst)), s.s))
}

// Copy copies within the device; the ranges do not overlap.
func (s *Stream) Copy(dst, src Ptr, bytes int64) error {
	return op(fmt.Sprintf("copy %d bytes", bytes), cu.MemcpyDtoDAsync(cu.DevicePtr(dst), cu.DevicePtr(src), bytes, s.s))
}

// Fill8 sets bytes.
func (s *Stream) Fill8(dst Ptr, v byte, bytes int64) error {
	return op(fmt.Sprintf("fill %d bytes", bytes), cu.MemsetD8Async(cu.DevicePtr(dst), v, bytes, s.s))
}

// Fill32 sets 4-byte words.
func (s *Stream) Fill32(dst Ptr, v uint32, words int64) error {
	return op(fmt.Sprintf("fill %d words", words), cu.MemsetD32Async(cu.DevicePtr(dst), uint(v), words, s.s))
}

// Wait keeps what comes after it in the stream until the event has happened, as
// last recorded.
func (s *Stream) Wait(e *Event) error { return op("wait for event", s.s.Wait(e.e, 0)) }

// An Event marks a place in a stream.
type Event struct{ e cu.Event }

// Event makes an event that has not been recorded.
func (d *Device) Event() (*Event, error) {
	e, err := cu.MakeEvent(cu.DefaultEvent)
	if err != nil {
		return nil, op("make event", err)
	}
	return &Event{e}, nil
}

// Record puts the event behind what the stream was given so far.
func (e *Event) Record(s *Stream) error { return op("record event", e.e.Record(s.s)) }

// Synchronize waits until the event has happened.
func (e *Event) Synchronize() error { return op("wait for event", e.e.Synchronize()) }

// Elapsed returns the seconds from since to e, both of which have happened.
func (e *Event) Elapsed(since *Event) (float64, error) {
	ms, err := since.e.Elapsed(e.e)
	return ms / 1e3, op("time between events", err)
}

// Close gives the event back.
func (e *Event) Close() error { return op("close event", cu.DestroyEvent(&e.e)) }
