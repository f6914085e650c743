"""Write activations that other programs saved as safetensors shards for sweep.

    python convert.py 'run/blocks.8.hook_resid_post/*.saved.pt' --out shards
    python convert.py acts.npz --key resid --out shards
    python convert.py acts.h5 --key layer_8/resid --out shards

Reads files of torch.save (.pt, .pth, .bin, and .saved.pt of activault), .npz and HDF5 (with h5py): an array, a dict of
arrays, or a list of them, in which the last dimension is the width of a row. Of several arrays --key names the one that
holds the rows. Without it that is activations, states, or the only one of floating-point numbers in two or more
dimensions. Files of torch need torch; they are loaded with weights_only, which runs no code of theirs.

Each file becomes one shard, written as a whole, whose name depends on the file's path alone. One file is in memory at a
time. Run the same command again after it was stopped, or with other files: shards that are there are kept. A file that
is damaged or holds no rows is named, the others are converted, and the exit status is 1.

Of activault, metadata.json beside the files says which width and dtype their rows must have. It, the name of the folder
and cfg.json above it give harvest.json the names of the activations; those of --names count before them.
"""

import argparse
import glob
import hashlib
import json
import os
import re
import sys

import numpy

DEFAULTS = ("activations", "states")


class Refused(Exception):
    """Says what is wrong with a file."""


def arrays(value, name=""):
    """Yield the names and the arrays in nested dicts. A list of arrays counts as one."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from arrays(part, f"{name}/{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        if value and all(hasattr(v, "shape") for v in value):
            yield name, list(value)
        else:
            for i, part in enumerate(value):
                yield from arrays(part, f"{name}/{i}" if name else str(i))
    elif hasattr(value, "shape"):
        yield name, [value]


def dtype_of(array):
    """Return the name of an array's dtype, such as float32, of torch or NumPy, of either order of bytes."""
    return getattr(array.dtype, "name", None) or str(array.dtype).removeprefix("torch.")


def is_rows(parts):
    """Tell whether arrays hold floating-point numbers in two or more dimensions; vectors of a list are rows too."""
    return all("float" in dtype_of(p) and (len(p.shape) >= 2 or len(parts) > 1 and len(p.shape) == 1) for p in parts)


def choose(found, key):
    """Return the name of the array that holds the rows, and its parts."""
    found = dict(found)
    if key is not None:
        if key not in found:
            raise Refused(f"holds no {key}; it holds {', '.join(found) or 'no array'}")
        return key, found[key]
    could = {name: parts for name, parts in found.items() if is_rows(parts)}
    for name in DEFAULTS:
        if name in could:
            return name, could[name]
    if len(could) != 1:
        which = "several arrays could be the rows" if could else "no array of floating-point numbers in two dimensions"
        raise Refused(f"{which}: {', '.join(could or found) or 'none'}: name one with --key")
    return next(iter(could.items()))


def load(path, key):
    """Return the name of the array of a file that holds the rows, and its parts. Whatever a damaged file makes a library say is Refused."""
    try:
        return read(path, key)
    except (Refused, MemoryError):
        raise
    except ImportError as e:
        raise Refused(f"needs the package {e.name}: pip install {e.name}") from e
    except Exception as e:
        what = str(e).strip().partition("\n")[0]
        raise Refused(f"cannot be read, as it is damaged or of another kind: copy or write it again "
                      f"({type(e).__name__}: {what})") from e


def read(path, key):
    ending = os.path.splitext(path)[1].lower()
    if ending in (".pt", ".pth", ".bin", ".ckpt"):
        import torch

        return choose(arrays(torch.load(path, map_location="cpu", weights_only=True)), key)
    if ending == ".npz":
        with numpy.load(path, allow_pickle=False) as file:
            return choose(arrays({name: file[name] for name in file.files}), key)
    if ending in (".h5", ".hdf5", ".hdf", ".he5"):
        import h5py

        with h5py.File(path, "r") as file:
            found = {}
            file.visititems(lambda name, v: found.update({name: [v]}) if isinstance(v, h5py.Dataset) else None)
            name, parts = choose(found, key)
            return name, [part[...] for part in parts]
    raise Refused("is none of .pt, .pth, .bin, .ckpt, .npz, .h5 and .hdf5")


def rows_of(parts):
    """Join arrays to one of [rows, width], in f16, bf16 or f32: of torch if they are of torch, else of NumPy."""
    if not is_rows(parts):
        raise Refused("the array does not hold floating-point numbers in two or more dimensions")
    if len({p.shape[-1] for p in parts}) > 1:
        raise Refused("the arrays of the list have rows of several widths")
    parts = [p.reshape(-1, p.shape[-1]) for p in parts]
    if isinstance(parts[0], numpy.ndarray):
        x = numpy.concatenate(parts)
        return numpy.ascontiguousarray(x if x.dtype in ("<f2", "<f4") else x.astype("<f4"))
    import torch

    x = torch.cat([p.detach() for p in parts])
    return x.contiguous() if x.dtype in (torch.float16, torch.bfloat16, torch.float32) else x.float().contiguous()


def described(path):
    """Return what activault's metadata.json beside a file says of it, or {}."""
    found = read_json(os.path.join(os.path.dirname(path), "metadata.json"))
    return found if "d_in" in found else {}


def read_json(path):
    """Return the object in a file, or {} if there is no such file."""
    if not os.path.exists(path):
        return {}
    try:
        with open(path, encoding="utf-8") as f:
            found = json.load(f)
    except ValueError as e:
        raise Refused(f"{path} is not JSON: copy it again ({e})") from e
    return found if isinstance(found, dict) else {}


def names_of(path):
    """Return the names of the activations of activault's files: RUN/HOOK/*.saved.pt, with RUN/cfg.json."""
    about = described(path)
    if not about:
        return {}
    folder = os.path.dirname(os.path.abspath(path))
    config = read_json(os.path.join(os.path.dirname(folder), "cfg.json"))
    names = {"lm_name": (config.get("transformer_config") or {}).get("model_name"),
             "context_length": about.get("sequence_length")}
    if place := re.fullmatch(r"blocks\.(\d+)\.hook_(\w+)", os.path.basename(folder)):
        names |= {"hook_name": place[0], "layer": int(place[1]), "submodule_name": place[2]}
    return {k: v for k, v in names.items() if v is not None}


def common_names(paths, out, given):
    """Return what is said of the activations without contradiction, by harvest.json in out too. What is given goes
    first. Files of several places are Refused: they would be rows of one data set."""
    known = read_json(os.path.join(out, "harvest.json")).get("names") or {}
    every = []
    for folder in sorted({os.path.dirname(path) for path in paths}):
        if names := names_of(next(path for path in paths if os.path.dirname(path) == folder)):
            every.append(names)
    places = sorted({n["hook_name"] for n in every if "hook_name" in n})
    if len(places) > 1:
        raise Refused(f"the files are of several places: {', '.join(places)}: give each place an --out of its own")
    said = {k: [n[k] for n in every if k in n] for n in every for k in n}
    names = {k: values[0] for k, values in said.items() if all(v == values[0] for v in values)} | given
    for key in ("layer", "submodule_name", "hook_name", "module_path"):
        if key in known and key in names and known[key] != names[key]:
            raise Refused(f"{out} holds activations of {key} {known[key]}, and these are of {names[key]}: "
                          f"give each place an --out of its own, or mend {out}/harvest.json")
    return known | names


def given_names(text):
    """Return the object in JSON that --names has."""
    given = json.loads(text or "{}")
    if not isinstance(given, dict):
        raise Refused("--names is no object in JSON: want one such as '{\"layer\": 8}'")
    if not isinstance(given.get("layer", 0), int):
        raise Refused(f"--names: layer is {json.dumps(given['layer'])}: want a number")
    return given


def array_of(shard):
    """Return the name of the array that a shard was made of; None if it does not say."""
    with open(shard, "rb") as f:
        head = json.loads(f.read(int.from_bytes(f.read(8), "little")))
    return head.get("__metadata__", {}).get("array")


def convert(path, out, key):
    """Write the shard of a file, and return how many rows it has."""
    array, parts = load(path, key)
    x = rows_of(parts)
    if 0 in x.shape:
        raise Refused("holds no rows")
    about = described(path)
    dtype = dtype_of(x)
    if about and x.shape[1] != about["d_in"]:
        raise Refused(f"its rows have {x.shape[1]} numbers, and metadata.json says {about['d_in']}")
    if about and str(about.get("dtype", dtype)).removeprefix("torch.") not in (dtype, "float64"):  # that is float32 now
        raise Refused(f"its numbers are {dtype}, and metadata.json says {about['dtype']}")
    if isinstance(x, numpy.ndarray):
        from safetensors.numpy import save_file
    else:
        from safetensors.torch import save_file

        x = x.clone()
    part = os.path.join(os.path.dirname(out), "." + os.path.basename(out) + ".part")
    save_file({"activations": x}, part, metadata={"source": os.path.basename(path), "array": array})
    os.replace(part, out)
    return x.shape[0]


def shard_name(path, out):
    """Return the shard of a file. It depends on the file's path alone, so that no call writes a shard again under
    another name. Files of one name in several folders get different ones."""
    digest = hashlib.sha256(os.path.abspath(path).encode()).hexdigest()
    return os.path.join(out, f"{os.path.basename(path)}-{digest[:12]}.safetensors")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", help="files or patterns")
    parser.add_argument("--out", required=True, help="the folder for the shards")
    parser.add_argument("--key", help="the array that holds the rows, such as resid or layer_8/resid")
    parser.add_argument("--names", help="names of the activations for harvest.json, in JSON: '{\"layer\": 8}'")
    args = parser.parse_args(argv)
    paths = []
    for pattern in args.files:
        found = [pattern] if os.path.exists(pattern) else sorted(glob.glob(pattern, recursive=True))
        if not found:
            parser.error(f"{pattern}: no such file")
        paths += [p for p in found if p not in paths]
    try:
        names = common_names(paths, args.out, given_names(args.names))
    except (Refused, ValueError) as e:
        parser.error(str(e))
    os.makedirs(args.out, exist_ok=True)
    failed = 0
    for path in paths:
        shard = shard_name(path, args.out)
        try:
            if os.path.exists(shard):
                if args.key is not None and array_of(shard) not in (None, args.key):
                    raise Refused(f"{shard} is there, of the array {array_of(shard)}: give each array an --out of its own")
                print(f"{shard}: is there already")
                continue
            print(f"{shard}: {convert(path, shard, args.key)} rows", flush=True)
        except Refused as e:
            failed += 1
            print(f"{path}: {e}", file=sys.stderr)
    if names and failed < len(paths):
        part = os.path.join(args.out, ".harvest.json.part")
        with open(part, "w", encoding="utf-8") as f:
            json.dump({"names": names}, f)
        os.replace(part, os.path.join(args.out, "harvest.json"))
    if failed:
        print(f"{failed} of {len(paths)} files are not converted", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
