"""Names the platform of a wheel: it holds a program, and runs where the program does."""

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Platform(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        program = Path(self.root, "src/topksweep/bin/sweep")
        platform = os.environ.get("TOPKSWEEP_PLATFORM")
        if not platform or not program.is_file():
            raise RuntimeError("the program is not here: build the wheel with deploy/python/build.sh")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
