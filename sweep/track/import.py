"""Imports the runs of this folder into trackio: a project for each sweep, a run for each cell.

    python import.py
    trackio show

runs.json has the settings of the runs, the CSV files have their values by step. A run whose name its project has
already is left out, so this may be run again.
"""

import csv
import json
import pathlib

import trackio

here = pathlib.Path(__file__).resolve().parent
known = {}
for entry in json.loads((here / "runs.json").read_text(encoding="utf-8")):
    project, name = entry["project"], entry["name"]
    if project not in known:
        try:
            known[project] = {run.name for run in trackio.Api().runs(project)}
        except (ValueError, RuntimeError):
            known[project] = set()
    if name in known[project]:
        print(f"{project} has {name} already")
        continue
    run = trackio.init(
        project=project, name=name, config=entry["config"], embed=False, auto_log_gpu=False, auto_log_cpu=False
    )
    with open(here / entry["file"], newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            step = int(row.pop("step"))
            values = {key: float(value) for key, value in row.items() if value}
            if values:
                run.log(values, step=step)
    run.finish()
