package parquetfile

import (
	"bytes"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// These are values of the enumeration CompressionCodec.
const (
	codecNone   = 0
	codecSnappy = 1
	codecGzip   = 2
	codecBrotli = 4
	codecZstd   = 6
	codecLz4    = 7
)

// These bound how many bytes a format can make of one: a page that states more is damaged, and nothing is allocated.
const (
	mostOfSnappy = 64
	mostOfLz4    = 256
	mostOfZstd   = 1 << 16
)

// A codec decompresses pages. It keeps what one format needs for the next page.
type codec struct{ zstd *zstd.Decoder }

func (c *codec) close() {
	if c.zstd != nil {
		c.zstd.Close()
	}
}

// decompress returns the bytes of a page, which are size ones. More are not decompressed.
func (c *codec) decompress(kind int64, b []byte, size int64) (out []byte, err error) {
	if size == 0 && len(b) == 0 { // nulls alone
		return nil, nil
	}
	most := size / max(1, int64(len(b)))
	switch kind {
	case codecNone:
		out = b
	case codecSnappy:
		var n int
		if n, err = snappy.DecodedLen(b); err == nil && int64(n) == size && most <= mostOfSnappy {
			out, err = snappy.Decode(nil, b)
		}
	case codecLz4:
		if most <= mostOfLz4 {
			var n int
			out = make([]byte, size)
			if n, err = lz4.UncompressBlock(b, out); err == nil {
				out = out[:n]
			}
		}
	case codecZstd:
		if most <= mostOfZstd {
			out, err = c.decodeZstd(b, size)
		}
	case codecGzip:
		var r io.Reader
		if r, err = gzip.NewReader(bytes.NewReader(b)); err == nil {
			out, err = readMost(r, size)
		}
	case codecBrotli:
		out, err = readMost(brotli.NewReader(bytes.NewReader(b)), size)
	default:
		return nil, bad("compression %d is not read: write it with snappy, zstd, gzip, brotli or none", kind)
	}
	if err != nil || int64(len(out)) != size {
		return nil, errDamaged
	}
	return out, nil
}

func (c *codec) decodeZstd(b []byte, size int64) (out []byte, err error) {
	if c.zstd == nil {
		c.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true))
	}
	if err != nil {
		return nil, err
	}
	return c.zstd.DecodeAll(b, make([]byte, 0, size))
}

// readMost reads all of r, or one byte more than size.
func readMost(r io.Reader, size int64) ([]byte, error) { return io.ReadAll(io.LimitReader(r, size+1)) }
