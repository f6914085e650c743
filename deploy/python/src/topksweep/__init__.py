"""sweep in Python: results and curves as DataFrames, trained models as PyTorch modules.

    import topksweep

    runs = topksweep.run("grid.yaml")              # train it: the DataFrame of results
    runs = topksweep.results("first-sweep")        # the results of a sweep that has run, or runs
    points = topksweep.curves("first-sweep")       # its training curves
    best = runs.loc[runs["nmse"].idxmin()]
    sae = topksweep.load(best["run"])              # an nn.Module
    latents = sae.encode(x)                        # [..., D] to [..., F]

A sweep is given by its name, its ID, or a file that `sweep results` or `sweep curves` has written; several sweeps by a
list of these. All functions look for sweeps where the program does: in the folder `dir` or the store `store`, else
where the environment variables SWEEP_DIR and SWEEP_STORE say, else in the user's data folder.

PyTorch is imported by `load` and by `topksweep.model` alone.
"""

from ._binary import SweepError, SweepWarning, binary, version
from ._load import load
from ._tables import curves, results, run, sweeps

__all__ = ["SweepError", "SweepWarning", "binary", "curves", "load", "results", "run", "sweeps", "version"]
