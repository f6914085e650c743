package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// maxDecoded bounds in bytes what the pages of a Parquet file may say that they decode to.
const maxDecoded = 4 * MaxBytes

// checkFooter refuses a file whose footer says that it is longer than the file: the library would allocate it first.
func checkFooter(b []byte) error {
	const end = 8 // length of the footer, and the letters PAR1
	if len(b) < end+4 || string(b[len(b)-4:]) != "PAR1" {
		return errors.New("not a Parquet file, or a torn one: it does not end with PAR1")
	}
	if n := binary.LittleEndian.Uint32(b[len(b)-end:]); uint64(n) > uint64(len(b)-end-4) {
		return fmt.Errorf("a damaged Parquet file: a footer of %d bytes in a file of %d", n, len(b))
	}
	return nil
}

// checkPages reads the headers of all pages, without what is in them. It refuses a file with more values than can be
// read, and pages that decode to more than maxDecoded bytes: a few bytes can be said to be billions of values. The
// compressions that are read are those that say in advance what they come to.
func checkPages(b []byte, f *parquet.File) error {
	values, decoded := int64(0), int64(0)
	for i, g := range f.Metadata().RowGroups {
		for j, c := range g.Columns {
			m := c.MetaData
			switch m.Codec {
			case format.Uncompressed, format.Snappy, format.Zstd:
			default:
				return fmt.Errorf("the compression %s is not read: write the file with snappy, zstd or none", m.Codec)
			}
			from := m.DataPageOffset
			if m.DictionaryPageOffset > 0 {
				from = min(from, m.DictionaryPageOffset)
			}
			if from < 0 || m.TotalCompressedSize < 0 || from > int64(len(b)) || m.TotalCompressedSize > int64(len(b))-from {
				return fmt.Errorf("column %d of row group %d lies outside of the file", j, i)
			}
			for rest := b[from : from+m.TotalCompressedSize]; len(rest) > 0; {
				h, body, err := pageHeader(rest)
				if err != nil {
					return fmt.Errorf("column %d of row group %d: %w", j, i, err)
				}
				values += pageValues(h)
				decoded += int64(h.UncompressedPageSize)
				if values > MaxValues || decoded > maxDecoded {
					return fmt.Errorf("more than %d values, or %d MiB of them", MaxValues, maxDecoded>>20)
				}
				if m.Codec != format.Uncompressed {
					if err := checkDecoded(body[:h.CompressedPageSize], m.Codec, h); err != nil {
						return fmt.Errorf("column %d of row group %d: %w", j, i, err)
					}
				}
				rest = body[h.CompressedPageSize:]
			}
		}
	}
	return nil
}

// pageHeader decodes the header at the beginning of b, and returns what is behind it.
func pageHeader(b []byte) (h format.PageHeader, body []byte, err error) {
	r := bytes.NewReader(b)
	if err = thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(r)).Decode(&h); err != nil {
		return h, nil, fmt.Errorf("a damaged header of a page: %w", err)
	}
	body = b[len(b)-r.Len():]
	if h.CompressedPageSize < 0 || h.UncompressedPageSize < 0 || int64(h.CompressedPageSize) > int64(len(body)) {
		return h, nil, fmt.Errorf("a page of %d bytes, where %d are left", h.CompressedPageSize, len(body))
	}
	return h, body, nil
}

// pageValues returns how many values a page says that it has.
func pageValues(h format.PageHeader) (n int64) {
	for _, count := range []int32{
		h.DataPageHeader.V.NumValues, h.DictionaryPageHeader.V.NumValues, h.DataPageHeaderV2.V.NumValues,
		h.DataPageHeaderV2.V.NumRows, h.DataPageHeaderV2.V.NumNulls,
	} {
		if count < 0 {
			return MaxValues + 1
		}
		n = max(n, int64(count))
	}
	return n
}

// checkDecoded refuses a page whose data decodes to more bytes than its header says.
func checkDecoded(data []byte, codec format.CompressionCodec, h format.PageHeader) error {
	most := int64(h.UncompressedPageSize)
	if v2 := h.DataPageHeaderV2; v2.Valid {
		if v2.V.IsCompressed.Valid && !v2.V.IsCompressed.V {
			return nil
		}
		// The levels stand before the compressed data.
		levels := int64(v2.V.RepetitionLevelsByteLength) + int64(v2.V.DefinitionLevelsByteLength)
		if levels < 0 || levels > int64(len(data)) || levels > most {
			return errors.New("a page with more levels than bytes")
		}
		data, most = data[levels:], most-levels
	}
	if len(data) == 0 {
		return nil
	}
	if codec == format.Snappy {
		if n, read := binary.Uvarint(data); read <= 0 || n > uint64(most) {
			return fmt.Errorf("a page of %d bytes decodes to %d", most, n)
		}
		return nil
	}
	// Zstandard need not say what it comes to.
	d, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxDecoded))
	if err != nil {
		return err
	}
	defer d.Close()
	n, err := io.Copy(io.Discard, io.LimitReader(d, most+1))
	if err == nil && n > most {
		err = fmt.Errorf("a page of %d bytes decodes to more", most)
	}
	return err
}
