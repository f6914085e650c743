package data

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/topksweep/sweep/trainer/safetensors"
)

// saveRows are the ends of a conversion by NumPy: x becomes rows of float32.
const saveRows = `numpy.save(%q, numpy.ascontiguousarray(x.reshape(-1, x.shape[-1]), dtype="<f4"))`

// inPython returns two lines of Python after a sentence that ends in a colon.
func inPython(first, second string) string { return ", in Python:\n  " + first + "\n  " + second }

// byProgram names the program that converts many files of some formats.
const byProgram = " (deploy/harvest/convert.py converts such files)"

// rewrite returns two lines of Python that write the array of a .npy file again as rows of float32.
func rewrite(path string) string {
	return inPython(fmt.Sprintf("import numpy; x = numpy.load(%q)", path), fmt.Sprintf(saveRows, path))
}

// rename returns two lines of Python that write a .safetensors file again, in which a tensor is rows of float32 under
// the name activations. The others stay. NumPy has no bfloat16 and no float of 8 bits. torch maps a file that it loads,
// so its tensors are copied before the file is written.
func rename(path string, tensor safetensors.Tensor, all []safetensors.Tensor) string {
	library, load, rows := "numpy", "load_file(%q)", `x.astype("<f4")`
	if slices.ContainsFunc(all, func(t safetensors.Tensor) bool { return needsTorch(t.DType) }) {
		library, load, rows = "torch", "{k: v.clone() for k, v in load_file(%q).items()}", "x.float().contiguous()"
	}
	return inPython(
		fmt.Sprintf("from safetensors.%s import load_file, save_file; t = "+load+"; x = t.pop(%q)", library, path,
			tensor.Name),
		fmt.Sprintf(`x = x.reshape(-1, x.shape[-1]); save_file({**t, "activations": %s}, %q)`, rows, path))
}

// largest returns the first of the tensors that have the most elements.
func largest(tensors []safetensors.Tensor) safetensors.Tensor {
	return slices.MaxFunc(tensors, func(a, b safetensors.Tensor) int { return cmp.Compare(a.Elems(), b.Elems()) })
}

// needsTorch reports whether NumPy lacks a dtype.
func needsTorch(dtype string) bool {
	return strings.HasPrefix(dtype, "BF") || strings.HasPrefix(dtype, "F8")
}

// largestArray is Python that chooses of named arrays the one with the most elements. What is no array is small.
const largestArray = `max(%s.values(), key=lambda v: getattr(v, "size", 0))`

// vectors is Python that makes rows of a table: of its column with the longest vectors, or of all columns if they hold
// numbers.
const vectors = `c = max(t, key=lambda c: numpy.size(t[c].iloc[0])); ` +
	`x = numpy.stack(t[c]) if numpy.size(t[c].iloc[0]) > 1 else t.to_numpy()`

// columnRows is Python that makes rows of a column of a table, but for those that are null or hold one.
const columnRows = `c = %q; x = numpy.stack([v for v in t[c].dropna() if not pandas.isna(v).any()])`

// ofColumn returns two lines of Python that make a shard of a column of a table's file; with "" they choose one.
func ofColumn(path, column string) string {
	if column == "" {
		return conversion(path)
	}
	load := "import numpy, pandas; t = pandas.read_parquet(%q); "
	if !isParquet(path) {
		load = "import numpy, pandas, datasets; t = datasets.Dataset.from_file(%q).to_pandas(); "
	}
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	return inPython(fmt.Sprintf(load+columnRows, path, column), fmt.Sprintf(saveRows, stem+".npy"))
}

// torchRows is a Python function that makes rows of what torch has saved: a list is joined, and of named parts the one
// with the most elements is chosen, however they are nested. What is no array has no elements.
const torchRows = `rows = lambda v: torch.cat([*map(rows, v)]) if isinstance(v, (list, tuple)) and v else ` +
	`max(map(rows, v.values()), key=torch.numel) if isinstance(v, dict) and v else ` +
	`torch.as_tensor(v).reshape(-1, v.shape[-1]) if getattr(v, "shape", ()) else torch.empty(0)`

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
		return byProgram + inPython("import torch; from safetensors.torch import save_file; "+torchRows,
			fmt.Sprintf(`x = rows(torch.load(%q, map_location="cpu")); `, path)+
				`x = x if x.dtype in (torch.float16, torch.bfloat16) else x.float(); `+
				fmt.Sprintf(`save_file({"activations": x.contiguous()}, %q)`, stem+".safetensors"))
	case ".npz":
		return byProgram + load("import numpy; z = dict(numpy.load(%q)); x = "+fmt.Sprintf(largestArray, "z"), path)
	case ".pkl", ".pickle":
		return load("import numpy, pickle; x = numpy.asarray(pickle.load(open(%q, \"rb\")))", path)
	case ".parquet":
		return load("import numpy, pandas; t = pandas.read_parquet(%q); "+vectors, path)
	case ".feather":
		return load("import numpy, pandas; t = pandas.read_feather(%q); "+vectors, path)
	case ".arrow", ".ipc":
		return load("import numpy, datasets; t = datasets.Dataset.from_file(%q).to_pandas(); "+vectors, path)
	case ".h5", ".hdf5", ".hdf", ".he5":
		return byProgram + load("import numpy, h5py; f = h5py.File(%q); x = "+fmt.Sprintf(largestArray, "f")+"[:]", path)
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

// asActivations returns an error that is mended by writing a tensor, one of all of a file, under the name activations.
func asActivations(t safetensors.Tensor, all []safetensors.Tensor, format string, a ...any) error {
	return fixable{fmt.Errorf(format, a...), func(path string) string { return rename(path, t, all) }}
}
