"""Prints the version of a wheel, which holds the program of the version that is given: python version.py v0.1.0

Go names a commit that has no tag by its time and its hash, after the tag before it. PEP 440 has developmental releases
for that:

    v0.1.0                                        0.1.0
    v0.1.0-rc.1                                   0.1.0rc1
    v0.1.1-0.20261127085118-3cf52fdd28d3          0.1.1.dev20261127085118+g3cf52fdd28d3
    v0.0.0-20261127085118-3cf52fdd28d3+dirty      0.0.0.dev20261127085118+g3cf52fdd28d3.dirty
    v0.1.0-rc.1.0.20261127085118-3cf52fdd28d3     0.1.0rc1.post0.dev20261127085118+g3cf52fdd28d3
    (devel), where no commit is recorded          0.0.0.dev0
"""

import re
import sys

RELEASE = re.compile(r"v(\d+\.\d+\.\d+)(?:-(alpha|beta|rc)\.?(\d+))?(\+dirty)?")
COMMIT = re.compile(r"v(\d+\.\d+\.\d+)-(?:(?:(alpha|beta|rc)\.?(\d+)\.)?0\.)?(\d{14})-([0-9a-f]{12})(\+dirty)?")
STAGES = {"alpha": "a", "beta": "b", "rc": "rc"}


def pep440(version: str) -> str:
    """Return the version of a wheel for the version of a Go program."""
    if version == "(devel)":
        return "0.0.0.dev0"
    if m := COMMIT.fullmatch(version):
        base, stage, number, time, commit, dirty = m.groups()
        after = f"{STAGES[stage]}{int(number)}.post0" if stage else ""
        return f"{base}{after}.dev{time}+g{commit}" + (".dirty" if dirty else "")
    if m := RELEASE.fullmatch(version):
        base, stage, number, dirty = m.groups()
        return base + (f"{STAGES[stage]}{int(number)}" if stage else "") + ("+dirty" if dirty else "")
    raise ValueError(f"{version} is not a version that the go command gives a program")


if __name__ == "__main__":
    try:
        print(pep440(sys.argv[1]))
    except ValueError as error:
        sys.exit(f"version.py: {error}")
