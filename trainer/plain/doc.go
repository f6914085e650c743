// Package plain is the training step as one reads it in the paper (Gao et al.
// 2024, arXiv 2406.04093). Read this first.
//
// It trains a Top-K sparse autoencoder densely, in float64, and is slow. The fast
// backends, trainer/cpu and trainer/cuda, compute the same numbers to float32's
// rounding: package backendtest holds them to this one.
//
// The files in the order in which a step uses them:
//
//	step.go      the model, and the order of a step in each recipe
//	median.go    what b_dec is before the first step
//	encode.go    pre-activations, and the k largest of each token
//	decode.go    the reconstruction
//	counters.go  which latents fired, which are dead, the threshold
//	loss.go      the two losses: the squared error and AuxK
//	backward.go  the gradients of the loss
//	adam.go      clip, projection, and Adam
//	backend.go   all of this as a trainer.Backend: the smallest one there is
//
// Names end in the shape of what they hold: x_BD is indexed [token][dimension].
// B is the batch, D the width of a token, F the number of latents, K how many of
// them a token keeps. Rows of both weight matrices are latents: [F,D].
//
// The package uses trainer and the standard library only.
package plain
