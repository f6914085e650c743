"""Tests of convert.py: python -m unittest test_convert"""

import contextlib
import io
import os
import pickle
import tempfile
import unittest

import numpy as np
import torch
from safetensors.torch import load_file

import convert

X = (torch.arange(24 * 6).reshape(24, 6) % 7 - 3).float()


class ConvertTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = folder.name
        self.out = os.path.join(self.dir, "out")

    def path(self, name):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def run_main(self, *args):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = convert.main([*args, "--out", self.out])
        return status, said.getvalue()

    def shard(self, name):
        return load_file(os.path.join(self.out, name + ".safetensors"))["activations"]

    def test_torch(self):
        cube = X.reshape(4, 6, 6)
        for name, saved in {
            "tensor": X, "cube": cube, "parameter": torch.nn.Parameter(X), "transposed": X.T.contiguous().T,
            "dict": {"acts": X, "ids": torch.arange(24), "layer": 3}, "list": [X[:5], X[5:]], "vectors": list(X),
            "nested": {"a": {"resid": X}, "mask": torch.ones(24, dtype=torch.bool)}, "ragged": [X[:6][None], X[6:][None]],
            "activault.saved": {"states": cube, "input_ids": torch.arange(24).reshape(4, 6)}, "f64": X.double(),
        }.items():
            path = self.path(name + ".pt")
            torch.save(saved, path)
            self.assertEqual(self.run_main(path)[0], 0, name)
            got = self.shard(name + ".pt")
            self.assertEqual(got.dtype, torch.float32)
            self.assertTrue(torch.equal(got, X), name)
        for dtype in (torch.float16, torch.bfloat16):
            torch.save(X.to(dtype), self.path("half.bin"))
            self.run_main(self.path("half.bin"))
            self.assertEqual(self.shard("half.bin").dtype, dtype)
            os.remove(os.path.join(self.out, "half.bin.safetensors"))

    def test_key(self):
        np.savez(self.path("a.npz"), one=X.numpy(), two=X.numpy() + 1, ids=np.arange(24))
        status, said = self.run_main(self.path("a.npz"))
        self.assertEqual(status, 1)
        self.assertIn("several arrays could be the rows: one, two: name one with --key", said)
        self.assertEqual(self.run_main(self.path("a.npz"), "--key", "two", "--names", '{"layer": 8}')[0], 0)
        self.assertTrue(torch.equal(self.shard("a.npz"), X + 1))
        self.assertTrue(os.path.exists(os.path.join(self.out, "harvest.json")))

    def test_resume(self):
        for folder in "ab":
            torch.save(X if folder == "a" else X + 1, self.path(folder + "/x.pt"))
        pattern = os.path.join(self.dir, "?", "x.pt")
        self.run_main(pattern)
        first = os.stat(os.path.join(self.out, "a--x.pt.safetensors"))
        os.remove(os.path.join(self.out, "b--x.pt.safetensors"))
        self.run_main(pattern)
        self.assertEqual(os.stat(os.path.join(self.out, "a--x.pt.safetensors")).st_mtime_ns, first.st_mtime_ns)
        self.assertTrue(torch.equal(self.shard("b--x.pt"), X + 1))
        self.assertEqual(len(os.listdir(self.out)), 2)

    def test_runs_no_code(self):
        class Evil:
            def __reduce__(self):
                return os.mkdir, (ran,)

        ran = self.path("ran")
        with open(self.path("evil.pt"), "wb") as f:
            pickle.dump(Evil(), f)
        with self.assertRaises(Exception):
            self.run_main(self.path("evil.pt"))
        self.assertFalse(os.path.exists(ran))

    def test_hdf5(self):
        try:
            import h5py
        except ImportError:
            self.skipTest("h5py is not there")
        with h5py.File(self.path("a.h5"), "w") as f:
            f["layer_8/resid"] = X.numpy().reshape(4, 6, 6)
            f["ids"] = np.arange(24)
        self.assertEqual(self.run_main(self.path("a.h5"))[0], 0)
        self.assertTrue(torch.equal(self.shard("a.h5"), X))


if __name__ == "__main__":
    unittest.main()
