package track

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/topksweep/sweep/sweep/table"
)

// writeTensorBoard writes FOLDER/<sweep>/<run>/events.out.tfevents…, and FOLDER/events.out.tfevents… with what the tab
// HPARAMS is to show: the settings that vary and the final values.
//
// An event file is TFRecords of messages tensorflow.Event (tensorflow/core/util/event.proto). The settings are those of
// TensorBoard's plugin hparams (tensorboard/plugins/hparams/plugin_data.proto).
func writeTensorBoard(ctx context.Context, out *folder, runs []*run) error {
	if err := out.put(eventFile, experimentOf(runs)); err != nil {
		return err
	}
	for _, r := range runs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := out.put(r.sweep+"/"+r.name+"/"+eventFile, eventsOf(r)); err != nil {
			return err
		}
	}
	return nil
}

// eventFile is the name of all event files: TensorBoard knows them by the word tfevents.
const eventFile = "events.out.tfevents.0000000000.sweep"

// Statuses and types of TensorBoard's plugin hparams.
const (
	hparamsSuccess = 1
	hparamsFailure = 2
	hparamsText    = 1
	hparamsNumber  = 3
)

// eventsOf returns the event file of a run.
func eventsOf(r *run) (file []byte) {
	status := int64(hparamsSuccess)
	if r.status != completed {
		status = hparamsFailure
	}
	var start message // SessionStartInfo
	for _, f := range r.settings {
		start = start.message(1, message{}.text(1, f.name).message(2, protoValue(f))) // an entry of a map
	}
	file = appendEvent(file, 0, message{}.text(3, "brain.Event:2"))
	file = appendEvent(file, 0, hparams("session_start_info", 3, start))
	for _, p := range r.points {
		file = appendScalars(file, p.step, "curve/", p.values)
	}
	file = appendScalars(file, r.lastStep(), "final/", r.final)
	return appendEvent(file, r.lastStep(), hparams("session_end_info", 4, message{}.int(1, status)))
}

// experimentOf returns the event file that says which settings and which final values there are. The settings are those
// that vary, or all where none does.
func experimentOf(runs []*run) (file []byte) {
	var all, varying, values []string
	first, isText := map[string]string{}, map[string]bool{}
	for i, r := range runs {
		for _, f := range r.settings {
			if _, ok := f.value.(string); ok {
				isText[f.name] = true
			}
			if !slices.Contains(all, f.name) {
				all = append(all, f.name)
				if first[f.name] = table.Print(f.value); i > 0 {
					varying = append(varying, f.name) // the runs before this one lack it
				}
			}
		}
		for _, name := range all {
			if table.Print(r.setting(name)) != first[name] && !slices.Contains(varying, name) {
				varying = append(varying, name)
			}
		}
		for _, f := range r.final {
			if !slices.Contains(values, f.name) {
				values = append(values, f.name)
			}
		}
	}
	settings := all
	if len(varying) > 0 {
		settings = slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !slices.Contains(varying, name) })
	}
	var experiment message
	for _, name := range settings {
		kind := int64(hparamsNumber)
		if isText[name] {
			kind = hparamsText
		}
		experiment = experiment.message(4, message{}.text(1, name).int(4, kind))
	}
	for _, name := range values {
		experiment = experiment.message(5, message{}.message(1, message{}.text(2, "final/"+name)).text(3, name))
	}
	file = appendEvent(file, 0, message{}.text(3, "brain.Event:2"))
	return appendEvent(file, 0, hparams("experiment", 2, experiment))
}

// hparams returns the fields of an event with data of the plugin hparams. field is that of the data in
// HParamsPluginData.
func hparams(tag string, field protowire.Number, data message) message {
	const float, tensors = 1, 2               // DT_FLOAT, DATA_CLASS_TENSOR
	content := message{}.message(field, data) // of version 0
	plugin := message{}.text(1, "hparams").message(2, content)
	empty := message{}.int(1, float).message(2, message{}.message(2, message{}.int(1, 0))) // of shape [0]
	value := message{}.text(1, "_hparams_/"+tag).message(8, empty).message(9, message{}.message(1, plugin).int(4, tensors))
	return message{}.message(5, message{}.message(1, value))
}

// protoValue is a setting as a google.protobuf.Value.
func protoValue(f field) message {
	switch x := f.value.(type) {
	case string:
		return message{}.text(3, x)
	case []int64:
		return message{}.text(3, table.Print(x))
	}
	return message{}.double(2, f.number())
}

// appendScalars adds an event with the values of a step. TensorBoard's scalars are in single precision: a number that
// is too large for it is left out.
func appendScalars(file []byte, step int64, prefix string, values []field) []byte {
	var summary message
	for _, f := range values {
		if v := float32(f.number()); !math.IsInf(float64(v), 0) {
			summary = summary.message(1, message{}.text(1, prefix+f.name).float(2, v))
		}
	}
	if summary == nil {
		return file
	}
	return appendEvent(file, step, message{}.message(5, summary))
}

// appendEvent adds an event as a TFRecord: the length in 8 bytes, its checksum, the event, its checksum.
func appendEvent(file []byte, step int64, rest message) []byte {
	event := append(message{}.double(1, float64(step)).int(2, step), rest...)
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(event)))
	file = append(file, length...)
	file = binary.LittleEndian.AppendUint32(file, maskedCRC(length))
	file = append(file, event...)
	return binary.LittleEndian.AppendUint32(file, maskedCRC(event))
}

// maskedCRC is the checksum of TFRecords: CRC-32C, rotated right by 15 bits, plus a constant.
func maskedCRC(b []byte) uint32 {
	sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (sum>>15 | sum<<17) + 0xa282ead8
}
