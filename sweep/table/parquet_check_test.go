package table

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// A page may not decode to more than its header says, for little data can be very much.
func TestPageDecodes(t *testing.T) {
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := encoder.EncodeAll(make([]byte, 1000), nil)
	v1 := func(size int32) format.PageHeader { return format.PageHeader{UncompressedPageSize: size} }
	v2 := func(size, levels int32, isCompressed bool) format.PageHeader {
		h := v1(size)
		h.DataPageHeaderV2 = thrift.New(format.DataPageHeaderV2{
			DefinitionLevelsByteLength: levels, IsCompressed: thrift.New(isCompressed),
		})
		return h
	}
	behindLevels := append(make([]byte, 20), packed...)
	for name, c := range map[string]struct {
		data   []byte
		codec  format.CompressionCodec
		header format.PageHeader
		want   string
	}{
		"zstd":                   {packed, format.Zstd, v1(1000), ""},
		"zstd, more":             {packed, format.Zstd, v1(999), "a page of 999 bytes decodes to more"},
		"zstd, torn":             {packed[:len(packed)-1], format.Zstd, v1(1000), "unexpected EOF"},
		"zstd, nothing":          {nil, format.Zstd, v1(0), ""},
		"snappy":                 {binary.AppendUvarint(nil, 1000), format.Snappy, v1(1000), ""},
		"snappy, more":           {binary.AppendUvarint(nil, 1000), format.Snappy, v1(999), "of 999 bytes decodes to 1000"},
		"snappy, no length":      {[]byte{0x80}, format.Snappy, v1(1000), "a page of"},
		"levels":                 {behindLevels, format.Zstd, v2(1020, 20, true), ""},
		"levels, more":           {behindLevels, format.Zstd, v2(1019, 20, true), "a page of 999 bytes decodes to more"},
		"levels, not packed":     {behindLevels, format.Zstd, v2(20, 20, false), ""},
		"levels, too many":       {behindLevels, format.Zstd, v2(1<<20, 1<<19, true), "more levels than bytes"},
		"levels, less than none": {behindLevels, format.Zstd, v2(1020, -1, true), "more levels than bytes"},
	} {
		err := checkDecoded(c.data, c.codec, c.header)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// What a file says of its size is checked before anything of it is decoded.
func TestParquetSizes(t *testing.T) {
	file := written(t, "parquet", awkward())
	open := func() *parquet.File {
		f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if err := checkPages(file, open()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want   string
		change func(c *format.ColumnMetaData)
	}{
		{"the compression GZIP is not read", func(c *format.ColumnMetaData) { c.Codec = format.Gzip }},
		{"lies outside of the file", func(c *format.ColumnMetaData) { c.TotalCompressedSize = int64(len(file)) }},
		{"lies outside of the file", func(c *format.ColumnMetaData) { c.TotalCompressedSize = -1 }},
		{"lies outside of the file", func(c *format.ColumnMetaData) { c.DataPageOffset = 1 << 40 }},
		{"lies outside of the file", func(c *format.ColumnMetaData) { c.DataPageOffset = -1 }},
		{"column 0 of row group 0: a", func(c *format.ColumnMetaData) { c.DataPageOffset++ }},
	} {
		f := open()
		c.change(&f.Metadata().RowGroups[0].Columns[0].MetaData)
		if err := checkPages(file, f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	f := open()
	f.Metadata().NumRows = MaxValues/int64(len(f.Metadata().Schema)) + 1
	if err := checkSize(f); err == nil || !strings.Contains(err.Error(), "values can be read") {
		t.Error(err)
	}
	// A few bytes that are said to be many values, or to decode to many bytes.
	for _, pages := range [][]format.PageHeader{
		{{UncompressedPageSize: maxDecoded}, {UncompressedPageSize: 1}},
		{{DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: MaxValues + 1})}},
		{{DataPageHeader: thrift.New(format.DataPageHeader{NumValues: -1})}},
	} {
		var few []byte
		for _, h := range pages {
			b, err := thrift.Marshal(new(thrift.CompactProtocol), h)
			if err != nil {
				t.Fatal(err)
			}
			few = append(few, b...)
		}
		f := open()
		c := &f.Metadata().RowGroups[0].Columns[0].MetaData
		c.Codec, c.DataPageOffset, c.DictionaryPageOffset = format.Uncompressed, 0, 0
		c.TotalCompressedSize = int64(len(few))
		if err := checkPages(few, f); err == nil || !strings.Contains(err.Error(), "more than 16777216 values") {
			t.Errorf("%v: %v", pages, err)
		}
	}
}
