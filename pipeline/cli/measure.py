"""`speclrm measure`: decoders side by side, on prompts or on problems."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli.terminal import counted, echo
from pipeline.measuring.asking import Asked, all_asked
from pipeline.measuring.config import read_config
from pipeline.measuring.planning import Planned, measured, plan_decoders
from pipeline.measuring.probe import Probe
from pipeline.measuring.support import combinations_of
from pipeline.measuring.table import DECODERS

SOME_FAILED = 1
RESULTS = Path("results")
DIGITS = 8


@click.command("measure")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be measured, and what not, and stop.")
@click.option("--resume", is_flag=True, help="Measure what is missing of an earlier measurement.")
@click.option("--retry-errors", is_flag=True, help="The same, and try again what failed.")
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path),
    help="Where it goes.  [default: the config's, or results/measure-<hash>]",
)
def measure_command(
    config: Path, *, dry_run: bool, resume: bool, retry_errors: bool, output_dir: Path | None
) -> None:
    """Measure the decoders that CONFIG names: speed, memory, and whether answers change.

    CONFIG is JSON, in which // begins a comment, or TOML; docs/measure.md has its keys. A decoder
    that cannot do what is asked is left out with its reason, or falls back if `fallback` says so.
    """
    asked = all_asked(read_config(config))
    probe = Probe()
    methods = [DECODERS[name] for name in asked.config.methods]
    unknown = probe.unknown(
        each for decoder in methods for each in combinations_of(decoder, asked.config)
    )
    if unknown:
        echo(
            f"Trying {counted(len(unknown), 'combination')} of settings with tiny models, once for "
            "these versions ...",
            err=True,
        )
    planned = plan_decoders(asked, probe)
    folder = output_dir or asked.config.output_dir or RESULTS / f"measure-{_digest(asked)}"
    _print_plan(asked, planned, folder)
    if dry_run:
        return
    from pipeline.measuring.running import measure  # noqa: PLC0415 - loads what a plan needs not

    result = measure(
        asked,
        planned,
        folder,
        resume=resume,
        retry_errors=retry_errors,
        tell=lambda line: echo(line, err=True),
    )
    _print_report(result.report)
    echo(f"{result.folder}")
    if result.failed:
        echo(f"Failed: {', '.join(result.failed)}; --retry-errors tries again.", err=True)
        sys.exit(SOME_FAILED)


def _digest(asked: Asked) -> str:
    canonical = json.dumps(asked.config.identity, sort_keys=True).encode()
    return hashlib.sha256(canonical).hexdigest()[:DIGITS]


def _print_plan(asked: Asked, planned: tuple[Planned, ...], folder: Path) -> None:
    config = asked.config
    prompts = len({ask.prompt_id for ask in asked.asks})
    echo(
        f"{config.main_model}: {counted(len(asked.asks), 'completion')} of "
        f"{counted(prompts, 'prompt')}, {counted(config.repeats, 'pass')} each, into {folder}"
    )
    for decoder in measured(planned):
        calls = decoder.cut(asked.asks, config.batch_size)
        echo(f"  {decoder.name}: {counted(len(calls), 'call')}. {decoder.means}")
    for one in planned:
        if one.reason is not None:
            instead = "left out" if one.measured is None else f"falls back to {one.measured}"
            echo(f"  {one.asked}: unsupported: {one.reason}; {instead}")


def _print_report(report: dict[str, Any]) -> None:
    for one in report["decoders"]:
        if one["status"] != "ok":
            echo(f"{one['decoder']}: {one['status']}")
            continue
        speed, agreement = one["tokens_per_second"], one["agreement"]
        equal = (
            "" if agreement is None else f", {agreement['equal']}/{agreement['completions']} equal"
        )
        echo(
            f"{one['decoder']}: {speed['mean']:.1f} tokens/s, {one['latency']['mean']:.3f} s{equal}"
        )
