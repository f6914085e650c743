package figures

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image/png"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg/vgimg"
)

// dotsPerInch is the resolution of PNG files.
const dotsPerInch = 300

// writePNG writes the figure as an image. Its resolution stands in the file, so that programs show it in its width.
func (f Figure) writePNG(b *bytes.Buffer, h text.Handler, l layout) error {
	c := vgimg.NewWith(vgimg.UseWH(l.width, l.height), vgimg.UseDPI(dotsPerInch))
	f.draw(canvas(c), h, l)
	var raw bytes.Buffer
	if err := png.Encode(&raw, c.Image()); err != nil {
		return err
	}
	const header = 8 + 25 // the signature and the chunk IHDR, behind which the resolution may stand
	if raw.Len() < header {
		return fmt.Errorf("the file has %d bytes", raw.Len())
	}
	b.Write(raw.Bytes()[:header])
	b.Write(resolution(dotsPerInch))
	b.Write(raw.Bytes()[header:])
	return nil
}

// resolution returns a PNG's chunk pHYs: dots per metre in x and in y, and 1 for the unit.
func resolution(perInch float64) []byte {
	perMetre := uint32(perInch/0.0254 + 0.5)
	chunk := []byte("pHYs")
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = append(chunk, 1)
	out := binary.BigEndian.AppendUint32(nil, 9)
	out = append(out, chunk...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
}
