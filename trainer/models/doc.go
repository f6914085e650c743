// Package models reads and writes trained autoencoders as the tools of the field keep them:
//
//	sparsify               sae.safetensors, cfg.json
//	saelens                sae_weights.safetensors, cfg.json (the same file: it has both tools' keys)
//	dictionary_learning    ae.pt (PyTorch's zip container), config.json
//	reference              reference/ae.pt, reference/config.json: the four tensors of dictionary_learning's first
//	                       Top-K trainer
//
// A Model takes activations as they are stored: the data's scale is folded into its biases and its threshold.
//
// The package knows files and numbers: no store, no grid, no training. It imports package trainer, the readers of the
// two container formats, and else the standard library alone.
package models
