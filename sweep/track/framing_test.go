package track

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// Records of any length around the ends of blocks come back whole.
func TestRecordLog(t *testing.T) {
	for _, sizes := range [][]int{
		{0}, {1, 0, 2}, {blockSize - 2*headerSize}, {blockSize - 2*headerSize - 1, 5}, {blockSize - 2*headerSize - 6, 1},
		{blockSize - 3*headerSize, 0, 9}, {blockSize - 3*headerSize, 3, 9}, {3 * blockSize, 100}, {70_000, 70_000, 0, 1},
	} {
		l := newRecordLog()
		var want [][]byte
		for i, n := range sizes {
			record := bytes.Repeat([]byte{byte('a' + i)}, n)
			l.add(record)
			want = append(want, record)
		}
		got := recordsOf(t, l.bytes)
		if len(got) != len(want) {
			t.Fatalf("%v: %d records, want %d", sizes, len(got), len(want))
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Errorf("%v: record %d has %d bytes, want %d", sizes, i, len(got[i]), len(want[i]))
			}
		}
	}
}

// recordsOf reads a log as LevelDB's documentation of the format says, with W&B's header and checksum.
func recordsOf(t *testing.T, log []byte) (records [][]byte) {
	if !bytes.HasPrefix(log, []byte(":W&B\xe1\xbe\x00")) {
		t.Fatalf("header %q", log[:7])
	}
	var record []byte
	for at := 7; at < len(log); {
		if left := 32768 - at%32768; left < 7 {
			if !bytes.Equal(log[at:at+left], make([]byte, left)) {
				t.Fatal("the end of a block is not filled with 0")
			}
			at += left
			continue
		}
		n, kind := int(binary.LittleEndian.Uint16(log[at+4:])), log[at+6]
		if at/32768 != (at+7+n-1)/32768 {
			t.Fatal("a fragment lies in two blocks")
		}
		if crc32.ChecksumIEEE(log[at+6:at+7+n]) != binary.LittleEndian.Uint32(log[at:]) {
			t.Fatal("checksum")
		}
		if isStart := kind == 1 || kind == 2; isStart != (record == nil) {
			t.Fatalf("a fragment of kind %d at %d", kind, at)
		}
		record = append(append([]byte{}, record...), log[at+7:at+7+n]...)
		if kind == 1 || kind == 4 {
			records = append(records, record)
			record = nil
		}
		at += 7 + n
	}
	return records
}

// The checksum of TFRecords, by a value that TensorFlow writes: every event file begins with the length 24 and its
// checksum a3 7f 4b 22.
func TestMaskedCRC(t *testing.T) {
	if got := maskedCRC([]byte{24, 0, 0, 0, 0, 0, 0, 0}); got != 0x224b7fa3 {
		t.Errorf("%x", got)
	}
}
