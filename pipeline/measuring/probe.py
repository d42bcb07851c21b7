"""What the installed transformers does with a combination: asked of tiny models in a process apart.

Some combinations are refused, some ignored without a word, and one takes all the memory there is.
So each is tried, under limits, and what was found is kept for these versions in the user's cache.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any

from evaluators.run_files.whole_file import whole_file
from pipeline.engines.settings import CPU
from pipeline.measuring.combination import Combination
from pipeline.measuring.probe_process import Limits, probed
from pipeline.problems.problem_set import default_refs_dir
from pipeline.runs.versions import gpus

PROBE_VERSION = 2
"""To be raised with every change of what is tried or how it is judged."""
BESIDE_A_GPU = 8 << 30
"""What one combination may take of the memory beside a GPU, where code is compiled for that."""
PACKAGES = (
    "torch",
    "transformers",
    "accelerate",
    "bitsandbytes",
    "optimum-quanto",
    "hqq",
    "flash-attn",
    "kernels",
)
"""Their versions, or that they are missing, decide what works."""


@dataclass(frozen=True, slots=True)
class Supported:
    """It works, and does what was asked.

    `exact` says whether its tokens are those of plain generation, where they must be; None where
    they need not be (draws, or quantised weights or caches).
    """

    exact: bool | None


@dataclass(frozen=True, slots=True)
class Ignored:
    """It runs, and leaves out part of what was asked without an error: `reason`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It fails: `reason` is the error's type and first line, or how it had to be ended."""

    reason: str


Answer = Supported | Ignored | Refused


class Probe:
    """Answers what combinations do; what is not known yet is tried first.

    `again` forgets what is kept. `folder` is where it is kept; None means the user's cache.
    `on_cpu` tries on the CPU, whatever GPUs there are.
    """

    def __init__(
        self, folder: Path | None = None, *, again: bool = False, on_cpu: bool = False
    ) -> None:
        self._here = versions_here() | ({"device": CPU} if on_cpu else {})
        digest = hashlib.sha256(json.dumps(self._here, sort_keys=True).encode()).hexdigest()
        self.file = (folder or default_refs_dir()) / f"generate-{digest[:16]}.json"
        self._known: dict[Combination, Answer] = {} if again else _kept(self.file, self._here)

    def what_it_does(self, combination: Combination) -> Answer:
        """The answer for one combination."""
        return self.what_they_do([combination])[combination]

    def unknown(self, combinations: Iterable[Combination]) -> list[Combination]:
        """Those that `what_they_do` would try now."""
        return [one for one in dict.fromkeys(combinations) if one not in self._known]

    def what_they_do(self, combinations: Iterable[Combination]) -> dict[Combination, Answer]:
        """The answers for some combinations; those not known yet are tried in one process.

        Raises:
            RunStopped: that process does not start.
        """
        asked = list(dict.fromkeys(combinations))
        missing = self.unknown(asked)
        if missing:
            on_cpu = self._here["device"] == CPU
            limits = Limits() if on_cpu else Limits(memory=BESIDE_A_GPU)
            with tempfile.TemporaryDirectory() as models:
                for combination, found in probed(
                    missing, Path(models), limits=limits, on_cpu=on_cpu
                ):
                    self._known[combination] = _answer(found)
            # Where it cannot be kept, it is tried again the next time.
            with suppress(OSError):
                _keep(self.file, self._here, {**_kept(self.file, self._here), **self._known})
        return {one: self._known[one] for one in asked}


def versions_here() -> dict[str, str]:
    """What decides the answers: versions, missing packages, and the kind of device."""
    found = {"probe": str(PROBE_VERSION), "python": python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    found["device"] = CPU if hidden in {"", "-1"} else "; ".join(gpus()) or CPU
    return found


def _kept(file: Path, here: dict[str, str]) -> dict[Combination, Answer]:
    """What was found before; nothing where the file is missing or damaged: it is made again."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["versions"] != here:
            return {}
        return {Combination(**found["cell"]): _answer(found) for found in kept["cells"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _keep(file: Path, here: dict[str, str], known: dict[Combination, Answer]) -> None:
    cells = [{"cell": asdict(one), **_found(answer)} for one, answer in known.items()]
    with whole_file(file) as out:
        out.write(json.dumps({"versions": here, "cells": cells}, indent=1).encode())


def _answer(found: dict[str, Any]) -> Answer:
    reason = str(found.get("reason"))
    match found["verdict"]:
        case "works":
            return Supported(found.get("same"))
        case "ignored":
            return Ignored(reason)
        case "refused":
            return Refused(reason)
        case other:
            raise ValueError(f"no verdict: {other!r}")


def _found(answer: Answer) -> dict[str, Any]:
    match answer:
        case Supported(exact):
            return {"verdict": "works", "same": exact}
        case Ignored(reason):
            return {"verdict": "ignored", "reason": reason}
        case Refused(reason):
            return {"verdict": "refused", "reason": reason}
