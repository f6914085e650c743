// Package trainer is the model: the configuration of a Top-K sparse
// autoencoder, the three recipes of training semantics, the training state, the
// loop over steps, and evaluation. It defines what a Backend (trainer/cpu,
// trainer/cuda) computes and never computes it itself.
//
// Shapes are written as suffixes: B batch, D activation_dim, F dict_size, K
// top-k. Weights are stored [F,D] for encoder and decoder alike: row f is
// latent f.
//
// The package uses the standard library only. It knows nothing of files,
// networks, clocks or Temporal.
package trainer
