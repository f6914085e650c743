package cuda

import "errors"

// ErrNotBuilt says that the program has no GPU support.
var ErrNotBuilt = errors.New("this program is built without CUDA (the build tag cuda, docs/cuda.md)")
