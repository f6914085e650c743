"""Results and curves as DataFrames."""

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Union

from ._binary import StrPath, call, places

if TYPE_CHECKING:
    import pandas as pd

Sweeps = Union[StrPath, Sequence[StrPath]]


def results(
    sweep: Sweeps,
    *,
    where: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    sort: str | None = None,
    mcc: bool = False,
    reproducible: bool = False,
    dir: StrPath | None = None,
    store: StrPath | None = None,
) -> "pd.DataFrame":
    """Return the results of sweeps, also while they run: a row for each cell, in the order of the grid.

    The columns are those of docs/results.md, all of them. Their dtypes do not depend on the rows: whole numbers are
    Int64 and texts string, with <NA> where there is no value; other numbers are float64, with NaN there. `density` has
    lists of whole numbers.

    Args:
        sweep: the name or the ID of a sweep, a file of results (.parquet, .csv, .json, .jsonl), or a list of these.
        where: conditions for the rows, as in "k=8,nmse<0.2"; of several, all must hold.
        columns: only these columns, in this order.
        sort: the column to sort by; descending with a leading "-".
        mcc: add the column mcc, how alike the latents of runs are that differ in seed alone. It reads their models.
        reproducible: without the columns that differ between equal sweeps, such as times.
        dir: the state directory (default: SWEEP_DIR, else in the user's data folder).
        store: the path or URL of the store (default: SWEEP_STORE, else the folder store in dir).

    Raises:
        SweepError: there is no such sweep or column, or a result cannot be read.
    """
    args = ["results", "--output=parquet", *places(dir, store), *_where(where)]
    if columns is not None:
        args.append("--columns=" + ",".join([columns] if isinstance(columns, str) else columns))
    if sort is not None:
        args.append("--sort=" + sort)
    if mcc:
        args.append("--mcc")
    if reproducible:
        args.append("--reproducible")
    return _frame(call([*args, "--", *_names(sweep)]))


def curves(
    sweep: Sweeps,
    *,
    where: str | Sequence[str] | None = None,
    dir: StrPath | None = None,
    store: StrPath | None = None,
) -> "pd.DataFrame":
    """Return the training curves of the completed runs of sweeps: a row for each point of each run.

    The columns are sweep, cell, the settings that vary, step, tokens, flops, the losses, nmse where it was measured on
    held-out rows, and others (docs/results.md). Dtypes, arguments and errors are those of `results`. A curve that is
    missing or damaged is left out, with a SweepWarning.
    """
    args = ["curves", "--output=parquet", *places(dir, store), *_where(where)]
    return _frame(call([*args, "--", *_names(sweep)]))


def sweeps(*, dir: StrPath | None = None, store: StrPath | None = None) -> "pd.DataFrame":
    """Return the sweeps of a store, newest first, as `sweep list` has them.

    The columns are id, name, state, cells, completed, failed (numbers of cells) and planned (the time, in UTC).
    """
    import pandas as pd

    listed = json.loads(call(["list", "--output=json", *places(dir, store)]))
    dtypes = dict.fromkeys(("id", "name", "state"), "string") | dict.fromkeys(("cells", "completed", "failed"), "Int64")
    frame = pd.DataFrame(listed, columns=[*dtypes, "planned"]).astype(dtypes)
    frame["planned"] = pd.to_datetime(frame["planned"], utc=True, format="ISO8601").astype("datetime64[us, UTC]")
    return frame


def run(
    grid: StrPath,
    *,
    progress: bool = True,
    flags: Sequence[str] = (),
    dir: StrPath | None = None,
    store: StrPath | None = None,
) -> "pd.DataFrame":
    """Train a grid, as `sweep run` does, and return its results.

    What the sweep has already is not trained again. An interrupt saves what is in training; the same call goes on
    there.

    Args:
        grid: the path of a grid.yaml.
        progress: show on sys.stderr what is done.
        flags: more flags of `sweep run`, as in ["--slots=8"]. The Web UI and the live report are not served, unless
            they are asked for with "--no-ui=false" and "--no-report=false".
        dir, store: as for `results`.

    Raises:
        SweepError: with status 2 the grid or its data are wrong; with 1 there was an error or runs have failed. The
            results of the others are then in `results`.
    """
    args = ["run", "--output=parquet", "--no-ui", "--no-report", *places(dir, store), *flags]
    path = os.path.expanduser(os.fspath(grid))
    return _frame(call([*args, "--", path], notes="show" if progress else "drop"))


def _names(sweep: Sweeps) -> list[str]:
    """Return the arguments for sweeps."""
    return [os.fspath(s) for s in ([sweep] if isinstance(sweep, (str, os.PathLike)) else sweep)]


def _where(where: str | Sequence[str] | None) -> list[str]:
    """Return the flags for conditions."""
    return ["--where=" + w for w in ([where] if isinstance(where, str) else where or [])]


def _frame(parquet: bytes) -> "pd.DataFrame":
    """Return the table of a Parquet file, with dtypes that depend on its types alone."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    dtypes = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype(), pa.string(): pd.StringDtype()}
    frame: pd.DataFrame = pq.read_table(pa.BufferReader(parquet)).to_pandas(types_mapper=dtypes.get)
    return frame
