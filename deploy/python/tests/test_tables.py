"""Results and curves of a sweep that has run, as DataFrames."""

import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest

import topksweep


def test_results(trained: str) -> None:
    runs = topksweep.results("tiny", dir=trained)
    assert list(runs["k"]) == [2, 2, 4, 4] and list(runs["seed"]) == [0, 1, 0, 1]
    assert (runs["nmse"] > 0).all() and (runs["nmse"] < 1).all()
    assert list(runs["decay_start"]) == [20] * 4 and list(runs["decay_start_written"]) == ["0.5"] * 4
    assert (runs["layer"] == 3).all() and (runs["lm_name"] == "none-at-all").all()
    assert runs["density"][0].sum() == 32


def test_dtypes_do_not_depend_on_the_rows(trained: str) -> None:
    runs = topksweep.results("tiny", dir=trained)
    with pytest.warns(topksweep.SweepWarning, match="^none of 4 rows is left"):
        none = topksweep.results("tiny", dir=trained, where="k=3")
    assert len(none) == 0 and list(none.columns) == list(runs.columns)
    assert (none.dtypes == runs.dtypes).all()
    for column, dtype in {
        "cell": "string", "k": "Int64", "first_dead_step": "Int64", "nmse": "float64", "recovery": "float64",
        "status": "string", "error": "string", "layer": "Int64", "submodule_name": "string", "density": "object",
    }.items():
        assert runs[column].dtype == dtype, column
    # Columns without any value have their dtype too, and say that there is none.
    assert runs["first_dead_step"].isna().all() and runs["error"].isna().all()


def test_rows_and_columns(trained: str) -> None:
    def get(**options: object) -> pd.DataFrame:
        return topksweep.results("tiny", dir=trained, **options)  # type: ignore[arg-type]

    assert len(get(where="k=4")) == 2
    assert len(get(where=["k=4", "seed=1"])) == 1
    assert list(get(columns=["nmse", "k"]).columns) == ["nmse", "k"]
    assert get(sort="-nmse")["nmse"].is_monotonic_decreasing
    assert get(sort="nmse")["nmse"].is_monotonic_increasing
    assert "mcc" in get(mcc=True) and "mcc" not in get()
    assert "device_seconds" in get() and "device_seconds" not in get(reproducible=True)


def test_sweeps_are_given_by_name_id_path_or_several(trained: str, tmp_path: Path) -> None:
    by_name = topksweep.results("tiny", dir=trained)
    pd.testing.assert_frame_equal(topksweep.results(by_name["sweep"][0], dir=Path(trained)), by_name)
    pd.testing.assert_frame_equal(topksweep.results("tiny", store=Path(trained) / "store"), by_name)
    pd.testing.assert_frame_equal(topksweep.results("tiny", store=f"file://{trained}/store"), by_name)
    file = tmp_path / "-results of mine.parquet"
    subprocess.run([topksweep.binary(), "results", "tiny", "--dir", trained, "--out", str(file)], check=True)
    pd.testing.assert_frame_equal(topksweep.results(file), by_name)
    here = os.getcwd()
    os.chdir(tmp_path)
    try:  # a name that begins with - is no flag
        pd.testing.assert_frame_equal(topksweep.results("-results of mine.parquet"), by_name)
    finally:
        os.chdir(here)
    assert len(topksweep.results(["tiny", file], dir=trained)) == 8


def test_curves(trained: str) -> None:
    points = topksweep.curves("tiny", dir=trained, where="k=4")
    assert set(points["k"]) == {4} and set(points["seed"]) == {0, 1}
    assert points["step"].dtype == "Int64" and points["nmse"].dtype == "float64"
    runs = topksweep.results("tiny", dir=trained, where="k=4")
    last = points.groupby("cell")["nmse"].last()
    for cell, nmse in zip(runs["cell"], runs["nmse"]):
        assert last[cell] == nmse
    assert points["nmse"].isna().any()  # at some steps it is not measured
    assert (points["step"].max(), len(points[points["step"] == 40])) == (40, 2)


def test_damaged_curve_is_a_warning(trained: str, grid: Path, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    runs = topksweep.run(grid, dir=folder, progress=False)
    (folder / "store" / runs["curve_path"][0]).unlink()
    with pytest.warns(topksweep.SweepWarning, match="curve") as caught:
        points = topksweep.curves("tiny", dir=folder)
    assert caught[0].filename == __file__
    assert points["cell"].nunique() == 3


def test_list(trained: str, tmp_path: Path) -> None:
    listed = topksweep.sweeps(dir=trained)
    assert list(listed["name"]) == ["tiny"] and list(listed["completed"]) == [4]
    assert listed["id"][0] == topksweep.results("tiny", dir=trained)["sweep"][0]
    empty = topksweep.sweeps(dir=tmp_path)
    assert len(empty) == 0 and (empty.dtypes == listed.dtypes).all()


def test_plots(trained: str) -> None:
    """The frames go into what people do with them."""
    runs = topksweep.results("tiny", dir=trained)
    mean = runs.pivot_table("nmse", "k", "seed")
    assert mean.shape == (2, 2)
    assert runs.query("k == 4 and status == 'completed'")["seed"].tolist() == [0, 1]
    assert runs.groupby("k")["nmse"].agg(["mean", "std", "count"])["count"].tolist() == [2, 2]
