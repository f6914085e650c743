package parquetfile

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/bits"
)

// These are values of the enumerations PageType and Encoding.
const (
	pageData       = 0
	pageIndex      = 1
	pageDictionary = 2
	pageData2      = 3

	encodingPlain           = 0
	encodingPlainDictionary = 2
	encodingRuns            = 3
	encodingDictionary      = 8
	encodingSplit           = 9
)

// A header is a PageHeader.
type header struct {
	kind             int64
	full, compressed int64 // bytes that follow, without compression and with it
	crc              uint32
	checked          bool // there is a crc

	values     int64 // with nulls
	encoding   int64
	levels     [2]int64 // encodings of repetition and definition levels, in a page of version 1
	levelBytes [2]int64 // their sizes, in a page of version 2
	plain      bool     // the values of a page of version 2 are not compressed
}

func (t *thrift) header() (h header) {
	t.fields(func(id int, kind byte) {
		switch id {
		case 1:
			h.kind = t.int()
		case 2:
			h.full = t.int()
		case 3:
			h.compressed = t.int()
		case 4:
			h.crc, h.checked = uint32(t.int()), true
		case 5, 7, 8:
			t.fields(func(of int, kind byte) {
				switch {
				case of == 1:
					h.values = t.int()
				case id != 8 && of == 2, id == 8 && of == 4:
					h.encoding = t.int()
				case id == 5 && of == 3:
					h.levels[1] = t.int()
				case id == 5 && of == 4:
					h.levels[0] = t.int()
				case id == 8 && of == 5:
					h.levelBytes[1] = t.int()
				case id == 8 && of == 6:
					h.levelBytes[0] = t.int()
				case id == 8 && of == 7:
					h.plain = kind == thriftFalse
				}
			})
		}
	})
	return h
}

// pages reads the pages of a chunk.
type pages struct {
	file   io.ReaderAt
	size   int64 // of the file
	column Column
	chunk  chunk
	out    *vectors
	codec  *codec

	at         int64 // of the next page
	dictionary []byte
	numbers    []byte   // scratch: some numbers
	levels     []uint32 // scratch: some levels, or indexes of the dictionary
}

// some is how many numbers are decoded at once.
const some = 4096

func (p *pages) read() error {
	if p.chunk.values == 0 { // some writers say nothing of use about where its pages are
		return nil
	}
	p.at = p.chunk.start()
	end := p.at + p.chunk.bytes
	switch {
	case p.chunk.elsewhere:
		return bad("a column lies in another file: write it to one")
	case p.at < 0 || p.chunk.bytes < 0 || end < p.at || end > p.size:
		return bad("truncated: a column lies from byte %d to %d of %d: copy or write it again", p.at, end, p.size)
	}
	p.numbers, p.levels = make([]byte, some*p.column.bytes), make([]uint32, some)
	var values int64
	for p.at < end {
		h, err := p.header(end)
		if err != nil {
			return err
		}
		body := make([]byte, h.compressed)
		if err := readFull(p.file, body, p.at); err != nil {
			return err
		}
		p.at += h.compressed
		if h.checked && crc32.ChecksumIEEE(body) != h.crc {
			return bad("the checksum of a page is wrong: copy or write it again")
		}
		switch h.kind {
		case pageDictionary:
			err = p.readDictionary(h, body)
		case pageData:
			err = p.readData(h, body)
		case pageData2:
			err = p.readData2(h, body)
		case pageIndex:
		default:
			err = errDamaged
		}
		if err != nil {
			return err
		}
		if h.kind == pageData || h.kind == pageData2 {
			values += h.values
		}
	}
	if values != p.chunk.values {
		return bad("a column holds %d values, and its pages %d: copy or write it again", p.chunk.values, values)
	}
	return nil
}

// header reads the header of a page. Most take less than a hundred bytes.
func (p *pages) header(end int64) (header, error) {
	for room := int64(256); ; room *= 16 {
		b := make([]byte, min(room, end-p.at))
		if err := readFull(p.file, b, p.at); err != nil {
			return header{}, err
		}
		t := &thrift{b: b}
		h := t.header()
		if t.err != nil {
			if room < end-p.at && room < maxHeader {
				continue
			}
			return h, t.err
		}
		p.at += int64(t.at)
		switch {
		case h.full < 0 || h.compressed < 0 || h.values < 0 || h.levelBytes[0] < 0 || h.levelBytes[1] < 0 ||
			h.compressed > end-p.at:
			return h, errDamaged
		case max(h.full, h.compressed) > maxPage:
			return h, bad("a page has %d bytes, more than %d: write it with smaller pages", max(h.full, h.compressed), maxPage)
		}
		return h, nil
	}
}

func (p *pages) readDictionary(h header, body []byte) (err error) {
	if h.encoding != encodingPlain && h.encoding != encodingPlainDictionary {
		return unknownEncoding(h.encoding)
	}
	p.dictionary, err = p.codec.decompress(p.chunk.codec, body, h.full)
	if err == nil && int64(len(p.dictionary))/int64(p.column.bytes) < h.values {
		err = errDamaged
	}
	return err
}

// readData reads a page of version 1: levels and values are compressed together.
func (p *pages) readData(h header, body []byte) error {
	body, err := p.codec.decompress(p.chunk.codec, body, h.full)
	if err != nil {
		return err
	}
	var levels [2][]byte
	for i := range levels {
		if h.levels[i] != encodingRuns {
			return unknownEncoding(h.levels[i])
		}
		if len(body) < 4 {
			return errDamaged
		}
		n := binary.LittleEndian.Uint32(body)
		if body = body[4:]; uint64(n) > uint64(len(body)) {
			return errDamaged
		}
		levels[i], body = body[:n], body[n:]
	}
	return p.decode(h, levels[0], levels[1], body)
}

// readData2 reads a page of version 2: only values are compressed.
func (p *pages) readData2(h header, body []byte) error {
	r, d := h.levelBytes[0], h.levelBytes[1]
	if r > int64(len(body)) || d > int64(len(body))-r || r+d > h.full {
		return errDamaged
	}
	values := body[r+d:]
	if !h.plain {
		var err error
		if values, err = p.codec.decompress(p.chunk.codec, values, h.full-r-d); err != nil {
			return err
		}
	}
	return p.decode(h, body[:r], body[r:r+d], values)
}

// decode reads the numbers of a page. However many it states, only some of them are in memory.
func (p *pages) decode(h header, repetition, definition, values []byte) error {
	rep, def := newRuns(repetition, bits.Len(uint(p.column.inner))), newRuns(definition, bits.Len(uint(p.column.full)))
	numbers, wrong := p.decoder(h, values)
	for left := h.values; left > 0; {
		n := min(left, some)
		levels, raw := p.levels[:n], p.numbers[:n*int64(p.column.bytes)]
		if err := def.read(levels); err != nil {
			return err
		}
		for _, level := range levels {
			if level != uint32(p.column.full) {
				return bad("a value is null, or a list is empty: leave such rows out")
			}
		}
		if wrong != nil { // said after what is wrong with the levels: of nulls there are no numbers
			return wrong
		}
		if err := numbers(raw); err != nil {
			return err
		}
		if err := rep.read(levels); err != nil {
			return err
		}
		if err := p.out.add(levels, raw); err != nil {
			return err
		}
		left -= n
	}
	return nil
}
