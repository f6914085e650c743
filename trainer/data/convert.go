package data

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/topksweep/sweep/trainer/safetensors"
)

// saveRows are the ends of a conversion by NumPy: x becomes rows of float32.
const saveRows = `numpy.save(%q, numpy.ascontiguousarray(x.reshape(-1, x.shape[-1]), dtype="<f4"))`

// inPython returns two lines of Python after a sentence that ends in a colon.
func inPython(first, second string) string { return ", in Python:\n  " + first + "\n  " + second }

// rewrite returns two lines of Python that write the array of a .npy file again as rows of float32.
func rewrite(path string) string {
	return inPython(fmt.Sprintf("import numpy; x = numpy.load(%q)", path), fmt.Sprintf(saveRows, path))
}

// rename returns two lines of Python that write a tensor of a .safetensors file again, as rows of float32 under the
// name activations.
func rename(path, tensor string) string {
	return inPython(
		fmt.Sprintf("from safetensors.torch import load_file, save_file; x = load_file(%q)[%q].float()", path, tensor),
		fmt.Sprintf(`save_file({"activations": x.reshape(-1, x.shape[-1]).contiguous()}, %q)`, path))
}

// conversion returns two lines of Python that make a shard of a file or a folder by the format that its name tells.
func conversion(path string) string {
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	load := func(how string, a ...any) string {
		return inPython(fmt.Sprintf(how, a...), fmt.Sprintf(saveRows, stem+".npy"))
	}
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".npy", ".safetensors": // in capitals
		return inPython("import os", fmt.Sprintf("os.rename(%q, %q)", path, stem+ext))
	case ".gz":
		return inPython("import gzip, shutil", unpack("gzip.open(%q)", path, stem))
	case ".zst":
		return inPython("import zstandard, shutil", unpack("zstandard.open(%q, \"rb\")", path, stem))
	case ".zip", ".tar", ".tgz":
		return inPython("import shutil", fmt.Sprintf("shutil.unpack_archive(%q, %q)", path, stem))
	case ".pt", ".pth", ".ckpt", ".bin":
		return inPython(
			fmt.Sprintf("import torch; x = torch.load(%q, map_location=\"cpu\")  # of a dict or a list, take the tensor", path),
			"from safetensors.torch import save_file; "+
				fmt.Sprintf(`save_file({"activations": x.reshape(-1, x.shape[-1]).contiguous()}, %q)`, stem+".safetensors"))
	case ".npz":
		return load("import numpy; z = numpy.load(%q); x = z[z.files[0]]", path)
	case ".pkl", ".pickle":
		return load("import numpy, pickle; x = numpy.asarray(pickle.load(open(%q, \"rb\")))", path)
	case ".parquet":
		return load("import numpy, pandas; x = numpy.stack(pandas.read_parquet(%q).iloc[:, 0])  # the column", path)
	case ".feather":
		return load("import numpy, pandas; x = numpy.stack(pandas.read_feather(%q).iloc[:, 0])  # the column", path)
	case ".arrow", ".ipc":
		return load("import numpy, datasets; x = numpy.stack(datasets.Dataset.from_file(%q).to_pandas().iloc[:, 0])"+
			"  # the column", path)
	case ".h5", ".hdf5", ".hdf", ".he5":
		return load("import numpy, h5py; f = h5py.File(%q); x = f[list(f)[0]][:]  # the name of the array", path)
	case ".zarr", ".n5":
		return load("import numpy, zarr; x = numpy.asarray(zarr.open(%q, mode=\"r\"))", path)
	case ".csv":
		return load("import numpy; x = numpy.loadtxt(%q, delimiter=\",\", ndmin=2)  # skiprows=1 for a line of names", path)
	case ".tsv":
		return load("import numpy; x = numpy.loadtxt(%q, ndmin=2)  # skiprows=1 for a line of names", path)
	case ".dat", ".raw", ".memmap", ".mmap", ".f32", ".fp32":
		return load("import numpy; x = numpy.memmap(%q, \"<f4\", \"r\").reshape(-1, 768)  # 768: the width of a row", path)
	case ".f16", ".fp16":
		return load("import numpy; x = numpy.memmap(%q, \"<f2\", \"r\").reshape(-1, 768)  # 768: the width of a row", path)
	}
	return load("import numpy; x = ...  # the array of %q, [rows, width]", path)
}

// unpack returns a line of Python that copies what open gives.
func unpack(open, from, to string) string {
	return fmt.Sprintf("shutil.copyfileobj("+open+", open(%q, \"wb\"))", from, to)
}

// A fixable is an error of a shard, with lines of Python that write the file again.
type fixable struct {
	error
	lines func(path string) string
}

// asActivations returns an error that is mended by writing a tensor under the name activations.
func asActivations(t safetensors.Tensor, format string, a ...any) error {
	return fixable{fmt.Errorf(format, a...), func(path string) string { return rename(path, t.Name) }}
}
