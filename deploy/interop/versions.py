"""Ends with an error unless the packages of a requirements.txt are installed in these versions."""

import importlib.metadata
import sys

wrong = []
for line in open(sys.argv[1]):
    requirement = line.split("#")[0].strip()
    if not requirement:
        continue
    name, want = requirement.split("==")
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found = "missing"
    if found.split("+")[0] != want:  # 2.15.0+cpu is torch 2.15.0
        wrong.append(f"{name} is {found}, want {want}")
if wrong:
    sys.exit("interop: " + "; ".join(wrong))
