package data

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/topksweep/sweep/trainer"
)

// WriteHeldOut writes the held-out rows of spec to a .npy file: [rows, width] in float32, in the order in which they
// are held out, and as they are stored: normalize does not scale them. It returns how many there are. The file is there
// as a whole or not at all.
func WriteHeldOut(ctx context.Context, spec trainer.DataSpec, o Options, file string) (rows int64, err error) {
	o = o.filled()
	files := newFiles(spec, o)
	defer files.until(ctx)()
	s, err := newSet(ctx, files, spec, o)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if err := s.prepare(ctx); err != nil {
		return 0, err
	}
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".tmp*")
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = s.writeHeldOut(ctx, w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Chmod(0o644)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
		return 0, err
	}
	return s.info.EvalRows, nil
}

// writeHeldOut writes the held-out rows as a .npy file.
func (s *Set) writeHeldOut(ctx context.Context, w io.Writer) error {
	if s.apart != nil {
		return s.apart.writeHeldOut(ctx, w)
	}
	if _, err := w.Write(npyHead(f32, s.info.EvalRows, s.info.Dim)); err != nil {
		return err
	}
	x, buf := make([]float32, s.info.Dim), make([]byte, widest*s.info.Dim)
	out := make([]byte, 4*len(x))
	for i := range s.info.EvalRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.src.read(s.order.base(i), x, 1, buf); err != nil {
			return fmt.Errorf("read held-out rows: %w", err)
		}
		encode(out, x)
		if _, err := w.Write(out); err != nil {
			return err
		}
	}
	return nil
}

// npyHead returns what a .npy file of rows begins with: 128 bytes, whatever the shape. NumPy asks for a multiple of 64.
func npyHead(t dtype, rows int64, dim int) []byte {
	text := fmt.Sprintf("{'descr': '<f%d', 'fortran_order': False, 'shape': (%d, %d), }", t.size(), rows, dim)
	text += strings.Repeat(" ", 127-10-len(text)) + "\n"
	b := append([]byte(npyMagic), 1, 0)
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(text))), text...)
}
