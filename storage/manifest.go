package storage

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime/debug"
)

// ManifestVersion is the version of the manifests that this build writes, and
// the newest that it reads.
const ManifestVersion = 1

// maxManifest bounds what is read of a manifest, whatever a store serves.
const maxManifest = 1 << 20

// A Manifest makes data a checkpoint: data that no manifest names is garbage. A
// manifest never changes once it is written.
type Manifest struct {
	Version int               `json:"version"`
	Folder  string            `json:"stage"`   // of checkpoints
	Attempt int               `json:"attempt"` // the claim under which it was written
	Step    int64             `json:"step"`    // steps done
	Key     string            `json:"key"`     // of the data
	Size    int64             `json:"size"`    // of the data in bytes
	SHA256  string            `json:"sha256"`  // of the data, in lower-case hex
	Format  string            `json:"format"`  // of the data; only the trainer knows it
	Meta    map[string]string `json:"meta,omitempty"`
	Build   string            `json:"build"` // of the program that wrote it
}

func (m *Manifest) at() point { return point{m.Step, m.Attempt} }

// ParseManifest reads a manifest. The error wraps ErrNewerVersion for one of a
// version that this build does not know, and ErrCorrupt for anything else that
// is not a whole, consistent manifest.
func ParseManifest(b []byte) (*Manifest, error) {
	if len(b) > maxManifest {
		return nil, fmt.Errorf("%w: manifest of %d bytes, of at most %d", ErrCorrupt, len(b), maxManifest)
	}
	// The version is read alone first: the rest of a newer manifest may be of another form.
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if head.Version > ManifestVersion {
		return nil, fmt.Errorf("%w: manifest version %d, of at most %d", ErrNewerVersion, head.Version, ManifestVersion)
	}
	m := new(Manifest)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields() // additions come with a new version
	if err := dec.Decode(m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return m, nil
}

// check compares the fields with each other, so that a manifest which was copied,
// renamed or edited is not taken for a checkpoint.
func (m *Manifest) check() error {
	sum, err := hex.DecodeString(m.SHA256)
	switch {
	case m.Version != ManifestVersion:
		return fmt.Errorf("manifest version %d", m.Version)
	case checkElement(m.Folder) != nil:
		return fmt.Errorf("stage %q", m.Folder)
	case m.Attempt < 1 || m.Step < 0 || m.Size < 0:
		return fmt.Errorf("attempt %d, step %d, size %d", m.Attempt, m.Step, m.Size)
	case err != nil || len(sum) != 32 || hex.EncodeToString(sum) != m.SHA256:
		return fmt.Errorf("sha256 %q", m.SHA256)
	case m.Key != dataKey(m.Folder, m.at(), m.SHA256):
		return fmt.Errorf("key %q is not that of stage, step, attempt and sha256", m.Key)
	}
	return nil
}

// readManifest reads the manifest under key, which a listing showed. The errors are those
// of Read and of ParseManifest.
func (c *Checkpoints) readManifest(ctx context.Context, key string) (*Manifest, error) {
	return Read(ctx, certain{c.store}, key, maxManifest, func(b []byte) (*Manifest, error) {
		m, err := ParseManifest(b)
		if err == nil && key != manifestKey(c.folder, m.at()) {
			err = fmt.Errorf("%w: manifest of folder %s, step %d, attempt %d", ErrCorrupt, m.Folder, m.Step, m.Attempt)
		}
		return m, err
	})
}

// build names this program for the manifests that it writes.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return version + " " + s.Value
		}
	}
	return version
}
