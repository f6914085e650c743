package cuda

import "errors"

// ErrNotBuilt is the error of a program that is built without the tag cuda.
var ErrNotBuilt = errors.New("this program is built without CUDA (the build tag cuda, docs/cuda.md)")
