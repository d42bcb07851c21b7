"""Peak memory of a call over what is resident before it, the loaded weights above all."""

import ctypes
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.beside import beside

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"
"""What proc(5) has `clear_refs` take to set a process's peak back to what is resident now."""
SAMPLE_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes; None where they cannot be measured, never 0 for that.

    `peak` is over what was resident when the call began: allocated by torch on a GPU, resident
    pages of this process on a CPU. `reserved` is the same of what torch took from the GPU.
    `weights` lie in memory before the call, and are in neither. `measured` says how: `cuda`,
    `peak` (the kernel's own mark), or `sampled`, which may miss a short peak. A peak that did not
    rise above what was there is None: pages that were freed before are used again unseen.
    """

    weights: int | None
    assistant_weights: int | None
    peak: int | None
    reserved: int | None
    measured: str | None


@dataclass
class MemoryMeter:
    """Measures one call: `with meter.running(): ...`, then `read`."""

    model: Any
    assistant: Any = None
    _peak: int | None = None
    _reserved: int | None = None
    _measured: str | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch the call inside; what an earlier one left is forgotten, and given back first."""
        self._peak = self._reserved = self._measured = None
        gc.collect()
        device = self.model.device
        if device.type == "cuda":
            with self._cuda(device):
                yield
        elif device.type == "cpu" and STATUS.exists():
            _give_back()
            with self._marked() if _reset_peak() else self._sampled():
                yield
        else:
            yield

    def read(self) -> Memory:
        """What the call took."""
        return Memory(
            weights=self.model.get_memory_footprint(),
            assistant_weights=self.assistant.get_memory_footprint() if self.assistant else None,
            peak=self._peak,
            reserved=self._reserved,
            measured=self._measured,
        )

    @contextmanager
    def _cuda(self, device: Any) -> Iterator[None]:
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        allocated, reserved = (
            torch.cuda.memory_allocated(device),
            torch.cuda.memory_reserved(device),
        )
        yield
        torch.cuda.synchronize(device)
        self._measured = "cuda"
        self._peak = _risen(torch.cuda.max_memory_allocated(device) - allocated)
        self._reserved = _risen(torch.cuda.max_memory_reserved(device) - reserved)

    @contextmanager
    def _marked(self) -> Iterator[None]:
        before = _status_bytes("VmRSS")
        yield
        self._measured = "peak"
        self._peak = _risen(_status_bytes("VmHWM") - before)

    @contextmanager
    def _sampled(self) -> Iterator[None]:
        before = _status_bytes("VmRSS")
        most = [before]

        def sample(ended: threading.Event) -> None:
            while not ended.wait(SAMPLE_SECONDS):
                most[0] = max(most[0], _status_bytes("VmRSS"))

        with beside(sample):
            yield
        self._measured = "sampled"
        self._peak = _risen(max(most[0], _status_bytes("VmRSS")) - before)


def _risen(difference: int) -> int | None:
    return difference if difference > 0 else None


def _reset_peak() -> bool:
    try:
        CLEAR_REFS.write_text(RESET_PEAK)
    except OSError:  # a container may forbid it
        return False
    return True


def _status_bytes(name: str) -> int:
    lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(kilobytes) * 1024


def _give_back() -> None:
    """Have the allocator return free pages, so that their next use is seen."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
    if trim is not None:
        trim(0)
