"""A process for each shard of a command: started together, told together, ended together."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from pipeline.cli.terminal import echo
from pipeline.engines import entry
from pipeline.engines.declaration import prefix_of
from pipeline.engines.masking import Secrets
from pipeline.engines.settings import CPU, EngineSettings
from pipeline.engines.vllm.orphans import EngineProcesses
from pipeline.errors import SOME_FAILED, UserMistake
from pipeline.shards import Shard
from pipeline.signals import Handler, ended_by_signals

TYPED = "pipeline.cli.shard_processes.typed"
"""In a context's `meta`: the arguments as given, of a command that starts itself again."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
GPUS = Path("/proc/driver/nvidia/gpus")
INSTALLED = "site-packages"


@dataclass(frozen=True, slots=True)
class Part:
    """A shard with the options and the environment that only its process has."""

    shard: Shard
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def run_parts(arguments: Sequence[str], parts: Sequence[Part]) -> dict[Shard, int]:
    """Run `speclrm ARGUMENTS --shard i/n` for every part, and wait for all; how each ended.

    An option of a part stands behind the same one in `arguments`, and so takes its place. What the
    processes say is told as it comes, each line with its shard before it. Signals are passed on.
    Should this process be killed, so are they: two launchers would otherwise share the shards.
    """
    owned = EngineProcesses()
    processes: dict[Shard, subprocess.Popen[str]] = {}
    tellers = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        for process in processes.values():
            process.send_signal(number)

    try:
        with ended_by_signals(pass_on), _interrupts(pass_on):
            for part in parts:
                process = _started(arguments, part, owned.environment)
                processes[part.shard] = process
                for stream in (process.stdout, process.stderr):
                    teller = threading.Thread(target=_tell, args=(part.shard, stream), daemon=True)
                    teller.start()
                    tellers.append(teller)
            codes = {shard: process.wait() for shard, process in processes.items()}
            for teller in tellers:
                teller.join()
    finally:
        owned.end()
    return codes


def told_dead(codes: Mapping[Shard, int]) -> set[int]:
    """Tell of every shard that did not come to its end; with which exit codes or signals."""
    dead = {shard: code for shard, code in codes.items() if code not in {0, SOME_FAILED}}
    for shard, code in dead.items():
        echo(f"Shard {shard} {_how_it_ended(code)}.", err=True)
    return set(dead.values())


def _how_it_ended(code: int) -> str:
    """The end of a process in words."""
    if code >= 0:
        return f"ended with the exit code {code}"
    if code == -signal.SIGKILL:
        return "was ended by SIGKILL, by hand or by a system short of memory"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by the signal {-code}"


def parts_of(
    models: Mapping[str, EngineSettings], count: int, further: tuple[str, ...] = ()
) -> list[Part]:
    """Each shard with its GPUs, of those that are named or that this machine has, and options.

    Raises:
        UserMistake: they cannot be shared out evenly.
    """
    shards = [Shard(number, count) for number in range(1, count + 1)]
    options: Mapping[str, Sequence[str]] = {
        f"--{prefix_of(role)}devices": shared_out(
            model.devices.split(","), count, f"--{prefix_of(role)}devices"
        )
        for role, model in models.items()
        if model.devices not in {None, CPU}
    }
    loads_here = any(
        entry(model.engine).heeds("devices") and model.devices is None for model in models.values()
    )
    gpus = visible_gpus() if loads_here else []
    visible = shared_out(gpus, count, "This machine") if gpus else [""] * count
    return [
        Part(
            shard,
            (*further, *(word for flag, each in options.items() for word in (flag, each[place]))),
            {VISIBLE: visible[place]} if gpus else {},
        )
        for place, shard in enumerate(shards)
    ]


def shared_out(devices: Sequence[str], count: int, what: str) -> list[str]:
    """The devices for each of `count` shards, as many for each, as a list with commas.

    Raises:
        UserMistake: they cannot be shared out evenly.
    """
    each, rest = divmod(len(devices), count)
    if rest or not each:
        raise UserMistake(
            f"{what} has {len(devices)} GPUs and there are {count} shards, each with its own: "
            "choose --shards so that every shard has as many, or name the GPUs with --devices."
        )
    return [",".join(devices[each * n : each * (n + 1)]) for n in range(count)]


def visible_gpus() -> list[str]:
    """The GPUs of this machine that this process may use, without loading anything."""
    named = os.environ.get(VISIBLE)
    if named is not None:
        return [one.strip() for one in named.split(",") if one.strip()]
    return [str(n) for n, _ in enumerate(GPUS.iterdir())] if GPUS.is_dir() else []


def _started(
    arguments: Sequence[str], part: Part, environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    # Behind a lone `--` nothing is an option.
    end = arguments.index("--") if "--" in arguments else len(arguments)
    own = ("--shards", "1", "--shard", str(part.shard), *part.options)
    # The folder that the command was started in must not be searched for modules, and ours may be.
    ours = Path(__file__).resolve().parents[2]
    paths = [os.environ.get("PYTHONPATH", ""), "" if INSTALLED in ours.parts else str(ours)]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "pipeline", *arguments[:end], *own, *arguments[end:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={
            **os.environ,
            **environment,
            **part.environment,
            "PYTHONPATH": os.pathsep.join(one for one in paths if one),
        },
        # Ctrl-C in the terminal would reach it twice: from there, and from this process.
        start_new_session=True,
    )


def _tell(shard: Shard, stream: IO[str] | None) -> None:
    for line in stream or ():
        if line.strip():
            echo(Secrets.of().masked(f"[{shard}] {line.rstrip()}"), err=True)


@contextmanager
def _interrupts(pass_on: Handler) -> Iterator[None]:
    """Send Ctrl-C to `pass_on` for as long as the block is open."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, pass_on)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
