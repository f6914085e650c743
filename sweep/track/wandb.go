package track

import (
	"context"
	"encoding/binary"
	"hash/crc32"
)

// writeWandB writes FOLDER/offline-run-<time>-<id>/run-<id>.wandb for each run. The project is the sweep, the display
// name is the run's.
//
// Such a file is a log of records in the format of LevelDB, with a header, each record a message wandb_internal.Record
// (wandb/proto/wandb_internal.proto).
func writeWandB(ctx context.Context, out *folder, runs []*run) error {
	for _, r := range runs {
		if err := ctx.Err(); err != nil {
			return err
		}
		id := r.id(16)
		if err := out.put("offline-run-19700101_000000-"+id+"/run-"+id+".wandb", wandbOf(r, id)); err != nil {
			return err
		}
	}
	return nil
}

// wandbOf returns the file of a run.
func wandbOf(r *run, id string) []byte {
	l := newRecordLog()
	n := int64(0)
	add := func(record message) {
		n++
		l.add(append(message{}.int(1, n), record...))
	}
	// min_consumer says which program can read this: as wandb itself writes it.
	add(message{}.message(21, message{}.message(1, message{}.text(1, "sweep").text(2, "0.70.0"))))

	var config message
	for _, f := range r.config() {
		config = config.message(1, message{}.text(1, f.name).text(16, jsonOf(f.value)))
	}
	add(message{}.message(17, message{}.text(1, id).text(3, r.sweep).message(4, config).text(8, r.name).message(17, nil)))

	for _, p := range r.points {
		step := message{}.text(2, "_step").text(16, jsonOf(p.step))
		history := message{}.message(1, step)
		for _, f := range p.values {
			history = history.message(1, message{}.text(2, "curve/"+f.name).text(16, jsonOf(f.value)))
		}
		add(message{}.message(2, history.message(2, message{}.int(1, p.step))))
	}
	var summary message
	for _, f := range r.final {
		summary = summary.message(1, message{}.text(1, "final/"+f.name).text(16, jsonOf(f.value)))
	}
	add(message{}.message(3, summary))
	exit := int64(0)
	if r.status != completed {
		exit = 1
	}
	add(message{}.message(18, message{}.int(1, exit)))
	return l.bytes
}

// A recordLog is records in the format of LevelDB's log: blocks of 32 KiB, each with fragments of records. A fragment
// has a header: checksum, length, and whether it is a whole record, the first, a middle or the last part of one.
type recordLog struct{ bytes []byte }

const (
	blockSize  = 32 << 10
	headerSize = 7 // of a fragment, and of the file

	fragmentFull   = 1
	fragmentFirst  = 2
	fragmentMiddle = 3
	fragmentLast   = 4
)

func newRecordLog() *recordLog {
	return &recordLog{[]byte{':', 'W', '&', 'B', 0xe1, 0xbe, 0}}
}

// add appends a record. W&B's checksum is plain CRC-32 of the kind and the part.
func (l *recordLog) add(record []byte) {
	for isFirst := true; isFirst || len(record) > 0; isFirst = false {
		room := blockSize - len(l.bytes)%blockSize
		if room < headerSize {
			l.bytes = append(l.bytes, make([]byte, room)...)
			room = blockSize
		}
		part := record[:min(len(record), room-headerSize)]
		record = record[len(part):]
		kind := byte(fragmentMiddle)
		switch isLast := len(record) == 0; {
		case isFirst && isLast:
			kind = fragmentFull
		case isFirst:
			kind = fragmentFirst
		case isLast:
			kind = fragmentLast
		}
		sum := crc32.Update(crc32.ChecksumIEEE([]byte{kind}), crc32.IEEETable, part)
		l.bytes = binary.LittleEndian.AppendUint32(l.bytes, sum)
		l.bytes = binary.LittleEndian.AppendUint16(l.bytes, uint16(len(part)))
		l.bytes = append(append(l.bytes, kind), part...)
	}
}
