package models

import (
	"errors"
	"io"
	"io/fs"

	"github.com/topksweep/sweep/trainer"
)

// A Model is a Top-K autoencoder, apart from any training:
//
//	acts_F = the K largest of ReLU(W_enc·(x − b_dec) + b_enc), else 0
//	x̂_D    = W_decᵀ·acts + b_dec
//
// x is a row of activations as they are stored.
type Model struct {
	ActivationDim int // D
	DictSize      int // F
	K             int

	W trainer.Params // [F,D] and [F], [D]

	// Threshold is the activation that a latent must exceed where a tool keeps latents by value instead of the K
	// largest of a token. nil: none is known.
	Threshold *float64

	Names trainer.Names
	Facts []Fact // for the model card, in order
}

// A Fact is a line of a model card: a setting, a metric, where the data come from.
type Fact struct{ Name, Value string }

// A Format is a tool whose files a model is written as.
type Format string

const (
	Sparsify           Format = "sparsify"
	SAELens            Format = "saelens"
	DictionaryLearning Format = "dictionary_learning"
	Reference          Format = "reference"
)

// Formats lists every format, in the order in which they are named.
func Formats() []Format { return []Format{Sparsify, SAELens, DictionaryLearning, Reference} }

// A File is one file of a model's folder. Many goroutines may read Body at once.
type File struct {
	Name string // with slashes
	Body io.ReaderAt
	Size int64
}

// Files returns the files of a folder from which the tools of these formats load the model, with a README and a model
// card. The weights are not copied: the model must stay as it is while the files are read.
func Files(m *Model, formats ...Format) ([]File, error) {
	return nil, errors.New("models: not written yet")
}

// Read reads a model from a folder that one of the tools has written, this program's own among them. Rows of W_dec have
// whatever norms they have there. from says which tool and file, for people.
func Read(folder fs.FS) (m *Model, from string, err error) {
	return nil, "", errors.New("models: not written yet")
}

// Open is Read for a path: of a folder, or of the file of the weights in it.
func Open(path string) (m *Model, from string, err error) {
	return nil, "", errors.New("models: not written yet")
}
