//go:build cuda

package driver

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// A Stream is a queue of work for the device. It works in order, and at the same time as
// other streams.
type Stream struct {
	s      cu.Stream
	device *Device
}

// Stream makes a stream that waits for no other stream.
func (d *Device) Stream() (*Stream, error) {
	s, err := cu.MakeStream(cu.NonBlocking)
	if err != nil {
		return nil, op("make stream", err)
	}
	return &Stream{s, d}, nil
}

// Close frees the stream when its work is done.
func (s *Stream) Close() error { return op("close stream", s.s.Destroy()) }

// Synchronize waits until the stream's work is done. It returns the errors of kernels.
func (s *Stream) Synchronize() error { return op("synchronize stream", s.s.Synchronize()) }

// Upload puts a copy of pinned host memory to the device on the stream. src must not
// change until the copy is done.
func (s *Stream) Upload(dst Ptr, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	err := cu.MemcpyHtoDAsync(cu.DevicePtr(dst), unsafe.Pointer(&src[0]), int64(len(src)), s.s)
	return op(fmt.Sprintf("upload %d bytes", len(src)), err)
}

// Download puts a copy of device memory to pinned host memory on the stream.
func (s *Stream) Download(dst []byte, src Ptr) error {
	if len(dst) == 0 {
		return nil
	}
	err := cu.MemcpyDtoHAsync(unsafe.Pointer(&dst[0]), cu.DevicePtr(src), int64(len(dst)), s.s)
	return op(fmt.Sprintf("download %d bytes", len(dst)), err)
}

// Copy puts a copy from device memory to device memory on the stream. The two ranges
// must not overlap.
func (s *Stream) Copy(dst, src Ptr, bytes int64) error {
	err := cu.MemcpyDtoDAsync(cu.DevicePtr(dst), cu.DevicePtr(src), bytes, s.s)
	return op(fmt.Sprintf("copy %d bytes", bytes), err)
}

// Fill8 puts on the stream that all bytes are set to v.
func (s *Stream) Fill8(dst Ptr, v byte, bytes int64) error {
	return op(fmt.Sprintf("fill %d bytes", bytes), cu.MemsetD8Async(cu.DevicePtr(dst), v, bytes, s.s))
}

// Fill32 puts on the stream that all words of 4 bytes are set to v.
func (s *Stream) Fill32(dst Ptr, v uint32, words int64) error {
	err := cu.MemsetD32Async(cu.DevicePtr(dst), uint(v), words, s.s)
	return op(fmt.Sprintf("fill %d words", words), err)
}

// Wait makes all later work of the stream wait for the event, as it was last recorded.
func (s *Stream) Wait(e *Event) error { return op("wait for event", s.s.Wait(e.e, 0)) }

// An Event marks a point in a stream's work.
type Event struct{ e cu.Event }

// Event makes an event that has not been recorded yet. Nothing waits for such an event.
func (d *Device) Event() (*Event, error) {
	e, err := cu.MakeEvent(cu.DefaultEvent)
	if err != nil {
		return nil, op("make event", err)
	}
	return &Event{e}, nil
}

// Record puts the event on the stream: it happens when all earlier work is done.
func (e *Event) Record(s *Stream) error { return op("record event", e.e.Record(s.s)) }

// Synchronize waits until the event has happened.
func (e *Event) Synchronize() error { return op("wait for event", e.e.Synchronize()) }

// Elapsed returns the seconds from the event since to the event e. Both must have
// happened.
func (e *Event) Elapsed(since *Event) (float64, error) {
	ms, err := since.e.Elapsed(e.e)
	return ms / 1e3, op("time between events", err)
}

// Close frees the event.
func (e *Event) Close() error { return op("close event", cu.DestroyEvent(&e.e)) }
