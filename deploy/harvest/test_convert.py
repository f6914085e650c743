"""Tests of convert.py: python -m unittest test_convert. Those of files of torch are skipped where there is no torch."""

import contextlib
import importlib.util
import io
import json
import os
import pickle
import tempfile
import unittest

import numpy as np
from safetensors.numpy import load_file

import convert

X = (np.arange(24 * 6).reshape(24, 6) % 7 - 3).astype("<f4")


def there(package):
    return importlib.util.find_spec(package) is not None


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = folder.name
        self.out = os.path.join(self.dir, "out")

    def path(self, name):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)

    def run_main(self, *args):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                status = convert.main([*args, "--out", self.out])
            except SystemExit as e:  # of argparse
                status = e.code
        return status, said.getvalue()

    def shards(self):
        return sorted(name for name in os.listdir(self.out) if name.endswith(".safetensors"))

    def shard(self, name, load=load_file):
        return load(convert.shard_name(self.path(name), self.out))["activations"]

    def names(self):
        with open(os.path.join(self.out, "harvest.json")) as f:
            return json.load(f)["names"]


class ConvertTest(Case):
    def test_arrays(self):
        for name, saved, dtype in (("rows", X, "<f4"), ("cube", X.reshape(4, 6, 6), "<f4"),
                                   ("f64", X.astype("<f8"), "<f4"), ("f16", X.astype("<f2"), "<f2"),
                                   ("big", X.astype(">f4"), "<f4"),
                                   ("transposed", np.asfortranarray(X), "<f4")):
            np.savez(self.path(name + ".npz"), acts=saved, ids=np.arange(24))
            self.assertEqual(self.run_main(self.path(name + ".npz"))[0], 0, name)
            got = self.shard(name + ".npz")
            self.assertEqual(got.dtype, np.dtype(dtype), name)
            self.assertTrue(np.array_equal(got, X), name)

    def test_key(self):
        np.savez(self.path("a.npz"), one=X, two=X + 1, ids=np.arange(24))
        status, said = self.run_main(self.path("a.npz"))
        self.assertEqual(status, 1)
        self.assertIn("several arrays could be the rows: one, two: name one with --key", said)
        self.assertEqual(self.run_main(self.path("a.npz"), "--key", "two", "--names", '{"layer": 8}')[0], 0)
        self.assertTrue(np.array_equal(self.shard("a.npz"), X + 1))
        self.assertEqual(self.names(), {"layer": 8})

    def test_one_place(self):
        """What would make rows of several arrays or places one data set is refused, and nothing is written."""
        np.savez(self.path("a.npz"), one=X, two=X + 1)
        np.savez(self.path("b.npz"), acts=X + 2)
        np.savez(self.path("empty.npz"), acts=X[:0])
        first = (self.path("a.npz"), "--key", "one", "--names", '{"layer": 3}')
        self.assertEqual(self.run_main(*first)[0], 0)
        self.assertEqual(self.run_main(*first)[0], 0)
        self.assertEqual(self.run_main(self.path("a.npz"))[0], 0)
        for args, want, code in (
            ((self.path("a.npz"), "--key", "two"), "of the array one: give each array an --out of its own", 1),
            ((self.path("b.npz"), "--names", '{"layer": 8}'), "holds activations of layer 3, and these are of 8", 2),
            ((self.path("b.npz"), "--names", "[1]"), "--names is no object", 2),
            ((self.path("b.npz"), "--names", '{"layer": "x"}'), 'layer is "x": want a number', 2),
            ((self.path("empty.npz"), "--names", '{"lm_name": "a"}'), "holds no rows", 1),
        ):
            status, said = self.run_main(*args)
            self.assertEqual(status, code, said)
            self.assertIn(want, said)
            self.assertEqual(len(self.shards()), 1)
            self.assertEqual(self.names(), {"layer": 3})
        self.assertTrue(np.array_equal(self.shard("a.npz"), X))

    def test_names_of_shards(self):
        """A file has one shard, whichever others are converted with it and wherever that is done."""
        for folder in "ab":
            np.savez(self.path(folder + "/x.npz"), acts=X if folder == "a" else X + 1)
        pattern = os.path.join(self.dir, "?", "x.npz")
        self.run_main(pattern)
        first = {name: os.stat(os.path.join(self.out, name)).st_mtime_ns for name in self.shards()}
        self.assertEqual(len(first), 2)
        for args in ([pattern], [self.path("a/x.npz")], [self.path("b/x.npz")], [os.path.relpath(self.path("b/x.npz"))],
                     [os.path.join(self.dir, "a", "..", "b", "*.npz")]):
            self.assertEqual(self.run_main(*args)[0], 0)
            self.assertEqual({name: os.stat(os.path.join(self.out, name)).st_mtime_ns for name in self.shards()}, first)
        os.remove(convert.shard_name(self.path("b/x.npz"), self.out))
        self.run_main(pattern)
        self.assertEqual(self.shards(), sorted(first))
        self.assertTrue(np.array_equal(self.shard("b/x.npz"), X + 1))

    def test_damaged(self):
        """A damaged file is named, and the others are converted."""
        np.savez(self.path("a.npz"), acts=X)
        with open(self.path("a.npz"), "rb") as f:
            whole = f.read()
        for name, content in (("cut.npz", whole[:200]), ("empty.npz", b""), ("text.npz", b"no archive\nat all"),
                              ("flipped.npz", whole[:150] + bytes([whole[150] ^ 1]) + whole[151:]), ("a.csv", b"1,2")):
            with open(self.path(name), "wb") as f:
                f.write(content)
        status, said = self.run_main(os.path.join(self.dir, "*.*"))
        self.assertEqual(status, 1)
        for name in ("cut", "empty", "text", "flipped"):
            self.assertRegex(said, rf"{name}\.npz: cannot be read, as it is damaged or of another kind")
        self.assertIn("a.csv: is none of .pt", said)
        self.assertIn("5 of 6 files are not converted", said)
        self.assertNotIn("Traceback", said)
        self.assertTrue(np.array_equal(self.shard("a.npz"), X))
        self.assertEqual(len(os.listdir(self.out)), 1)

    def test_metadata(self):
        """What activault says of its files is held against them, and gives names."""
        run, place = "run", "blocks.24.hook_resid_post"
        name = f"{run}/{place}/a.npz"
        np.savez(self.path(name), states=X.reshape(4, 6, 6), input_ids=np.arange(24).reshape(4, 6))
        metadata = {"batch_size": 4, "sequence_length": 6, "dtype": "torch.float32", "d_in": 6, "shape": [4, 6, 6]}
        for wrong, want in (({"d_in": 7}, "its rows have 6 numbers, and metadata.json says 7"),
                            ({"dtype": "torch.bfloat16"}, "its numbers are float32, and metadata.json says torch.bf")):
            self.write(f"{run}/{place}/metadata.json", json.dumps(metadata | wrong))
            status, said = self.run_main(self.path(name))
            self.assertEqual((status, self.shards()), (1, []))
            self.assertIn(want, said)
        self.write(f"{run}/{place}/metadata.json", "{")
        self.assertIn("metadata.json is not JSON", self.run_main(self.path(name))[1])
        self.assertEqual(os.listdir(self.out), [])

        self.write(f"{run}/{place}/metadata.json", json.dumps(metadata))
        self.write(f"{run}/cfg.json", json.dumps({"run_name": run, "transformer_config": {"model_name": "gpt2"}}))
        self.assertEqual(self.run_main(self.path(name), "--names", '{"prepend_bos": true}')[0], 0)
        self.assertEqual(self.names(), {"lm_name": "gpt2", "context_length": 6, "hook_name": place, "layer": 24,
                                        "submodule_name": "resid_post", "prepend_bos": True})
        self.assertEqual(self.run_main(self.path(name))[0], 0)
        self.assertIs(self.names()["prepend_bos"], True)

        other = f"{run}/blocks.3.hook_mlp_out"
        np.savez(self.path(f"{other}/a.npz"), states=X.reshape(4, 6, 6))
        self.write(f"{other}/metadata.json", json.dumps(metadata))
        status, said = self.run_main(self.path(f"{other}/a.npz"))
        self.assertEqual((status, len(self.shards())), (2, 1))
        self.assertIn("holds activations of layer 24, and these are of 3", said)
        status, said = self.run_main(self.path(f"{other}/a.npz"), self.path(name))
        self.assertIn("are of several places: blocks.24.hook_resid_post, blocks.3.hook_mlp_out", said)

    @unittest.skipUnless(there("h5py"), "h5py is not there")
    def test_hdf5(self):
        import h5py

        with h5py.File(self.path("a.h5"), "w") as f:
            f["layer_8/resid"] = X.reshape(4, 6, 6)
            f["ids"] = np.arange(24)
        self.assertEqual(self.run_main(self.path("a.h5"))[0], 0)
        self.assertTrue(np.array_equal(self.shard("a.h5"), X))

    @unittest.skipIf(there("torch"), "torch is there")
    def test_without_torch(self):
        self.write("a.pt", "")
        status, said = self.run_main(self.path("a.pt"))
        self.assertEqual(status, 1)
        self.assertIn("a.pt: needs the package torch: pip install torch", said)


@unittest.skipUnless(there("torch"), "torch is not there")
class TorchTest(Case):
    def test_torch(self):
        import torch
        from safetensors.torch import load_file

        x = torch.from_numpy(X)
        cube = x.reshape(4, 6, 6)
        for name, saved in {
            "tensor": x, "cube": cube, "parameter": torch.nn.Parameter(x), "transposed": x.T.contiguous().T,
            "dict": {"acts": x, "ids": torch.arange(24), "layer": 3}, "list": [x[:5], x[5:]], "vectors": list(x),
            "nested": {"a": {"resid": x}, "mask": torch.ones(24, dtype=torch.bool)},
            "ragged": [x[:6][None], x[6:][None]],
            "activault.saved": {"states": cube, "input_ids": torch.arange(24).reshape(4, 6), "tensor_bytes": 768},
            "f64": x.double(),
        }.items():
            path = self.path(name + ".pt")
            torch.save(saved, path)
            self.assertEqual(self.run_main(path)[0], 0, name)
            got = self.shard(name + ".pt", load_file)
            self.assertEqual(got.dtype, torch.float32)
            self.assertTrue(torch.equal(got, x), name)
        for dtype in (torch.float16, torch.bfloat16):
            torch.save(x.to(dtype), self.path("half.bin"))
            self.run_main(self.path("half.bin"))
            self.assertEqual(self.shard("half.bin", load_file).dtype, dtype)
            os.remove(convert.shard_name(self.path("half.bin"), self.out))

    def test_damaged(self):
        import torch

        torch.save(torch.from_numpy(X), self.path("a.pt"))
        with open(self.path("a.pt"), "rb") as f:
            whole = f.read()
        for name, content in (("cut.pt", whole[:-100]), ("empty.pt", b""), ("text.pt", b"no archive\nat all")):
            with open(self.path(name), "wb") as f:
                f.write(content)
        status, said = self.run_main(os.path.join(self.dir, "*.pt"))
        self.assertEqual((status, len(self.shards())), (1, 1))
        for name in ("cut", "empty", "text"):
            self.assertRegex(said, rf"{name}\.pt: cannot be read, as it is damaged or of another kind")
        self.assertEqual(len(said.splitlines()), 5)

    def test_runs_no_code(self):
        class Evil:
            def __reduce__(self):
                return os.mkdir, (ran,)

        ran = self.path("ran")
        with open(self.path("evil.pt"), "wb") as f:
            pickle.dump(Evil(), f)
        self.assertEqual(self.run_main(self.path("evil.pt"))[0], 1)
        self.assertFalse(os.path.exists(ran))


if __name__ == "__main__":
    unittest.main()
