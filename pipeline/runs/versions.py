"""Versions and hardware that a run used, for its manifest."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline import engines, plugins

PACKAGES = ("torch", "transformers", "datasets", "sympy", "numpy")
GPU_QUERY_SECONDS = 10.0


def versions(used: Iterable[tuple[plugins.Group, str]] = ()) -> dict[str, str]:
    """The versions of Python and of the packages that decide results; absent ones left out.

    Those of plug-ins are among them for what a run `used`, those of built-in engines always.
    """
    used = tuple(used)
    found = {"python": platform.python_version()} | plugins.packages(used)
    names = dict.fromkeys(
        (*engines.ENGINES.built_in, *(name for kind, name in used if kind == "engines"))
    )
    of_engines = (package for name in names for package in engines.entry(name).versions)
    for package in dict.fromkeys(("speclrm", *of_engines, *PACKAGES)):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, object]:
    """Processor, cores, memory in GiB, and GPU names."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "gpus": gpus(),
    }


def gpus() -> list[str]:
    """Names of the NVIDIA GPUs here, asked of nvidia-smi so that CUDA is not initialised."""
    if shutil.which("nvidia-smi") is None:
        return []
    answer = subprocess.run(
        ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        timeout=GPU_QUERY_SECONDS,
        check=False,
    )
    return [line.strip() for line in answer.stdout.splitlines() if answer.returncode == 0]


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
