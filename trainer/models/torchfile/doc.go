// Package torchfile reads and writes files of torch.save: a zip archive that holds a pickle, and the bytes of tensors
// beside it. It reads tensors and plain containers only. A pickle can name any Python function; here every name but
// those of tensors is refused, and nothing is ever run. It knows nothing of models,
// and imports the standard library and package safetensors alone.
package torchfile
