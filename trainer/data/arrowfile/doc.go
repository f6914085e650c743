// Package arrowfile finds where the numbers of columns lie in Apache Arrow IPC files: streams, as the Python library
// datasets saves, and files with a footer. It reads the messages' metadata and the offsets of lists, and no numbers, so
// that the caller can map the file.
//
// It knows the standard library alone. Formats are those of Arrow's Message.fbs and Schema.fbs, metadata versions 4
// and 5, as FlatBuffers.
package arrowfile
