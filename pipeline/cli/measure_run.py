"""A config of `speclrm measure` planned, measured and printed."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pipeline.cli.console import echo_wrapped
from pipeline.cli.measure_report import RESULTS, How, Output, print_report
from pipeline.cli.terminal import counted
from pipeline.engines.settings import CPU
from pipeline.errors import UserMistake
from pipeline.measuring.asking import Asked, all_asked
from pipeline.measuring.config_reading import read_config
from pipeline.measuring.planning import Planned, measured, plan_decoders
from pipeline.measuring.probe import Probe
from pipeline.measuring.running import measure
from pipeline.measuring.support import combinations_of
from pipeline.measuring.table import DECODERS, decoders_named, methods_of

DIGITS = 8
INDENT = 2


@dataclass(frozen=True, slots=True)
class Done:
    """Where a measurement is, or would be, and whether all of it went well."""

    folder: Path
    well: bool


def measure_file(file: Path, output: Output, how: How) -> Done:
    """Plan what a config asks for, measure it and print it.

    Raises:
        UserMistake: the config, or what is given beside it, asks for what cannot be done.
        RunStopped: it was interrupted, or the disk failed; what is measured is kept.
    """
    config = read_config(file)
    if how.decoders is not None:
        config = replace(config, methods_to_test=decoders_named(how.decoders))
    asked = all_asked(config)
    probe = Probe(again=how.probe_again, on_cpu=config.device == CPU)
    methods = [DECODERS[name] for name in methods_of(asked.config)]
    unknown = probe.unknown(
        each for decoder in methods for each in combinations_of(decoder, asked.config)
    )
    if unknown:
        echo_wrapped(
            f"Trying {counted(len(unknown), 'combination')} of settings with tiny models, once for "
            "these versions ...",
            err=True,
        )
    planned = plan_decoders(asked, probe)
    folder = how.output_dir or asked.config.output_dir or RESULTS / f"measure-{_digest(asked)}"
    # A report that a program reads stands alone on standard output.
    _print_plan(asked, planned, folder, err=not how.dry_run)
    if how.dry_run:
        return Done(folder, True)
    if not measured(planned):
        raise UserMistake("Nothing that is asked for can be measured; the reasons stand above.")
    result = measure(
        asked,
        planned,
        folder,
        resume=how.resume,
        retry_errors=how.retry_errors,
        tell=partial(echo_wrapped, err=True),
    )
    well = print_report(result.folder, output)
    echo_wrapped(f"{result.folder}: --show prints it again.", err=True)
    if result.failed:
        failed = ", ".join(result.failed)
        echo_wrapped(f"Failed: {failed}; --retry-errors tries again.", err=True)
    return Done(folder, well and not result.failed)


def _digest(asked: Asked) -> str:
    canonical = json.dumps(asked.config.identity, sort_keys=True).encode()
    return hashlib.sha256(canonical).hexdigest()[:DIGITS]


def _print_plan(asked: Asked, planned: tuple[Planned, ...], folder: Path, *, err: bool) -> None:
    config = asked.config
    prompts = len({ask.prompt_id for ask in asked.asks})
    echo_wrapped(
        f"{config.main_model}: {counted(len(asked.asks), 'completion')} of "
        f"{counted(prompts, 'prompt')}, each {counted(config.repeats, 'time')}, into {folder}",
        err=err,
    )
    for decoder in measured(planned):
        calls = decoder.cut(asked.asks, config.batch_size)
        said = f"{decoder.name}: {counted(len(calls), 'call')}. {decoder.means}"
        echo_wrapped(said, indent=INDENT, err=err)
    for one in planned:
        if one.reason is not None:
            instead = "left out" if one.measured is None else f"falls back to {one.measured}"
            said = f"{one.asked}: unsupported: {one.reason}; {instead}"
            echo_wrapped(said, indent=INDENT, err=err)
