"""Write activations that other programs saved as safetensors shards for sweep.

    python convert.py 'acts/*.saved.pt' --out shards
    python convert.py acts.npz --key resid --out shards
    python convert.py acts.h5 --key layer_8/resid --out shards

Reads files of torch.save (.pt, .pth, .bin, and .saved.pt of activault), .npz and HDF5 (with h5py): an array, a dict of
arrays, or a list of them, in which the last dimension is the width of a row. Of several arrays --key names the one that
holds the rows. Without it that is activations, states, or the only one of floating-point numbers in two or more
dimensions.

Each file becomes one shard, written as a whole. One file is in memory at a time. Run the same command again after it
was stopped: shards that are there are kept. Files of torch are loaded with weights_only, which runs no code of theirs.
"""

import argparse
import glob
import json
import os
import sys

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


def is_rows(parts):
    """Tell whether arrays hold floating-point numbers in two or more dimensions; vectors of a list are rows too."""
    return all("float" in str(p.dtype) and (len(p.shape) >= 2 or len(parts) > 1 and len(p.shape) == 1) for p in parts)


def choose(found, key):
    """Return the arrays that hold the rows."""
    found = dict(found)
    if key is not None:
        if key not in found:
            raise Refused(f"holds no {key}; it holds {', '.join(found) or 'no array'}")
        return found[key]
    could = {name: parts for name, parts in found.items() if is_rows(parts)}
    for name in DEFAULTS:
        if name in could:
            return could[name]
    if len(could) != 1:
        which = "several arrays could be the rows" if could else "no array of floating-point numbers in two dimensions"
        raise Refused(f"{which}: {', '.join(could or found) or 'none'}: name one with --key")
    return next(iter(could.values()))


def load(path, key):
    """Return the arrays of a file that hold the rows."""
    ending = os.path.splitext(path)[1].lower()
    if ending in (".pt", ".pth", ".bin", ".ckpt"):
        import torch

        return choose(arrays(torch.load(path, map_location="cpu", weights_only=True)), key)
    if ending == ".npz":
        import numpy

        with numpy.load(path, allow_pickle=False) as file:
            return choose(arrays({name: file[name] for name in file.files}), key)
    if ending in (".h5", ".hdf5", ".hdf", ".he5"):
        import h5py

        with h5py.File(path, "r") as file:
            found = {}
            file.visititems(lambda name, v: found.update({name: [v]}) if isinstance(v, h5py.Dataset) else None)
            return [part[...] for part in choose(found, key)]
    raise Refused("is none of .pt, .pth, .bin, .ckpt, .npz, .h5 and .hdf5")


def rows_of(parts):
    """Join arrays to one of [rows, width] in torch, in f16, bf16 or f32."""
    import torch

    parts = [torch.as_tensor(p).detach() for p in parts]
    if not is_rows(parts):
        raise Refused("the array does not hold floating-point numbers in two or more dimensions")
    if len({p.shape[-1] for p in parts}) > 1:
        raise Refused("the arrays of the list have rows of several widths")
    x = torch.cat([p.reshape(-1, p.shape[-1]) for p in parts])
    return x.contiguous() if x.dtype in (torch.float16, torch.bfloat16, torch.float32) else x.float().contiguous()


def convert(path, out, key):
    """Write the shard of a file, and return how many rows it has."""
    from safetensors.torch import save_file

    x = rows_of(load(path, key))
    part = os.path.join(os.path.dirname(out), "." + os.path.basename(out) + ".part")
    save_file({"activations": x.clone()}, part, metadata={"source": os.path.basename(path)})
    os.replace(part, out)
    return x.shape[0]


def shard_names(paths, out):
    """Return the shard of each file. Files of one name in several folders get different ones."""
    common = os.path.commonpath([os.path.dirname(os.path.abspath(p)) for p in paths])
    names = [os.path.relpath(os.path.abspath(p), common).replace(os.sep, "--") + ".safetensors" for p in paths]
    return [os.path.join(out, name) for name in names]


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
    os.makedirs(args.out, exist_ok=True)
    failed = 0
    for path, shard in zip(paths, shard_names(paths, args.out)):
        if os.path.exists(shard):
            print(f"{shard}: is there already")
            continue
        try:
            print(f"{shard}: {convert(path, shard, args.key)} rows", flush=True)
        except Refused as e:
            failed += 1
            print(f"{path}: {e}", file=sys.stderr)
    if args.names:
        part = os.path.join(args.out, ".harvest.json.part")
        with open(part, "w") as f:
            json.dump({"names": json.loads(args.names)}, f)
        os.replace(part, os.path.join(args.out, "harvest.json"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
