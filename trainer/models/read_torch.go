package models

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"

	"github.com/topksweep/sweep/trainer/models/torchfile"
)

// dictClass is dictionary_learning's Top-K autoencoder.
const dictClass = "AutoEncoderTopK"

// readTorch reads ae.pt, or a checkpoint, and the config.json beside it or in the folder above. dictionary_learning's
// first version wrote four tensors; later ones also write k and the threshold.
func readTorch(fsys fs.FS, at place) (*Model, string, error) {
	c, err := optional(readConfig(fsys, path.Join(at.folder, dictConfig)))
	if err == nil && c.keys == nil && at.folder != "." {
		c, err = optional(readConfig(fsys, path.Join(path.Dir(at.folder), dictConfig)))
		if c.keys["trainer"] == nil { // another tool's config.json
			c = config{}
		}
	}
	if err != nil {
		return nil, "", err
	}
	train, err := c.object("trainer")
	if err != nil {
		return nil, "", err
	}
	for _, x := range [][2]string{{"dict_class", dictClass}, {"trainer_class", "TopKTrainer"}} {
		class, err := train.text(x[0])
		if err != nil {
			return nil, "", err
		}
		if class == x[1] {
			break // the class of the dictionary decides
		}
		if class != "" {
			return nil, "", fmt.Errorf("%s: %s is %q: only %s is read", train.file, x[0], class, x[1])
		}
	}
	m, err := readDict(fsys, at.path())
	if err != nil {
		return nil, "", err
	}
	if err := train.sizes(size{"activation_dim", m.ActivationDim}, size{"dict_size", m.DictSize}); err != nil {
		return nil, "", err
	}
	k, ok, err := train.count("k")
	switch {
	case err != nil:
		return nil, "", err
	case ok && m.K != 0 && k != m.K:
		return nil, "", fmt.Errorf("%s: k is %d, but the tensor k of %s is %d", train.file, k, at.path(), m.K)
	case ok:
		m.K = k
	case m.K == 0:
		return nil, "", fmt.Errorf("%s: it has four tensors, without k: write the k that the model was trained with into "+
			"%s beside it, as {\"trainer\": {\"k\": 32}}", at.path(), dictConfig)
	}
	m.Names = dictNames(c, train)
	if err := m.ownDict(c); err != nil {
		return nil, "", err
	}
	return m, "dictionary_learning: " + at.path(), nil
}

// readDict reads a file of torch.save that holds a dict of the tensors of an AutoEncoderTopK. K is 0 where it has
// none.
func readDict(fsys fs.FS, name string) (*Model, error) {
	f, info, err := openFile(fsys, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, err := readerAt(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	v, err := torchfile.Read(body, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	dict, ok := v.(*torchfile.Dict)
	if !ok {
		return nil, fmt.Errorf("%s: it holds no dict of tensors, as torch.save(model.state_dict(), …) writes it", name)
	}
	return modelOfDict(dict, name) // the tensors' bytes are read here
}

// readerAt returns a file as an io.ReaderAt. One that can only be read from start to end is held in memory.
func readerAt(f fs.File, size int64) (io.ReaderAt, error) {
	switch f := f.(type) {
	case io.ReaderAt:
		return f, nil
	case io.ReadSeeker:
		return &seeking{f: f}, nil
	}
	data, err := io.ReadAll(io.LimitReader(f, size))
	if err == nil && int64(len(data)) < size {
		err = io.ErrUnexpectedEOF
	}
	return bytes.NewReader(data), err
}

// seeking reads at an offset by seeking.
type seeking struct {
	mu sync.Mutex
	f  io.ReadSeeker
}

func (s *seeking) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.f.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(s.f, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// modelOfDict makes a model of tensors.
func modelOfDict(dict *torchfile.Dict, file string) (*Model, error) {
	l := layout{"encoder.weight", "encoder.bias", "decoder.weight", "b_dec", false, true}
	want := l.names()
	var names []string
	byName := map[string]*torchfile.Tensor{}
	for key, value := range dict.All() {
		name, isText := key.(string)
		t, isTensor := value.(*torchfile.Tensor)
		if !isText || !isTensor {
			return nil, fmt.Errorf("%s: the entry %.40q is no tensor with a name: only a state_dict is read, as "+
				"torch.save(model.state_dict(), …) writes it", file, fmt.Sprint(key))
		}
		names, byName[name] = append(names, name), t
	}
	slices.Sort(names)
	for _, n := range want {
		if byName[n] == nil {
			return nil, fmt.Errorf("%s: the tensor %s is missing; there are %.300q: only %s is read", file, n, names, dictClass)
		}
	}
	tensors := map[string]array{}
	for _, n := range want {
		tensors[n] = array{shape: byName[n].Shape}
	}
	if _, _, err := checkShapes(tensors, file, l); err != nil { // before memory is taken
		return nil, err
	}
	for _, n := range names {
		t := byName[n]
		switch {
		case slices.Contains(want, n):
			v, err := t.Float32s()
			if err != nil {
				return nil, fmt.Errorf("%s: the tensor %s: %w", file, n, err)
			}
			tensors[n] = array{t.Shape, v, t.DType}
		case n != "k" && n != "threshold":
			return nil, fmt.Errorf("%s: the tensor %.40q belongs to no %s", file, n, dictClass)
		}
	}
	m, err := assemble(tensors, file, l)
	if err != nil {
		return nil, err
	}
	for _, n := range []string{"k", "threshold"} {
		if t := byName[n]; t != nil && t.Elems() != 1 {
			return nil, fmt.Errorf("%s: the tensor %s has the shape %v, not one number", file, n, t.Shape)
		}
	}
	if t := byName["k"]; t != nil {
		v, err := t.Int64s()
		if err != nil {
			return nil, fmt.Errorf("%s: the tensor k: %w", file, err)
		}
		if v[0] < 1 || v[0] > int64(m.DictSize) {
			return nil, fmt.Errorf("%s: the tensor k is %d, no whole number from 1 to %d", file, v[0], m.DictSize)
		}
		m.K = int(v[0])
	}
	if t := byName["threshold"]; t != nil {
		v, err := t.Float32s()
		if err != nil {
			return nil, fmt.Errorf("%s: the tensor threshold: %w", file, err)
		}
		if notFinite(v[0]) {
			return nil, fmt.Errorf("%s: the tensor threshold is %v, no finite number", file, v[0])
		}
		if threshold := float64(v[0]); threshold >= 0 {
			m.Threshold = &threshold
		}
	}
	return m, nil
}

// ownDict reads what this program keeps in a config.json. The threshold there is that of the file in full, or the one
// that the four tensors have no place for.
func (m *Model) ownDict(c config) error {
	own, err := c.object("sweep")
	if err != nil || own.keys == nil {
		return nil // another program's
	}
	stored := m.Threshold
	if err := m.own(own, nil); err != nil {
		return err
	}
	if stored != nil && (m.Threshold == nil || float32(*m.Threshold) != float32(*stored)) {
		m.Threshold = stored
	}
	var metadata map[string]string
	if ok, err := get(own, "metadata", &metadata); err == nil && ok && len(metadata) > 0 {
		m.Metadata = metadata
	}
	return nil
}
