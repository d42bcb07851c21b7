"""`speclrm measure`: decoders side by side, on prompts or on problems."""

import hashlib
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from pipeline.cli.measure_report import TABLE, WRITERS, Output, print_report
from pipeline.cli.terminal import counted, echo
from pipeline.errors import UserMistake
from pipeline.measuring.asking import Asked, all_asked
from pipeline.measuring.config import read_config
from pipeline.measuring.planning import Planned, measured, plan_decoders
from pipeline.measuring.probe import Probe
from pipeline.measuring.support import combinations_of
from pipeline.measuring.table import DECODERS

SOME_FAILED = 1
RESULTS = Path("results")
DIGITS = 8
DEFAULT_MARGIN = "5"


class Margin(click.ParamType[float]):
    """A percentage from 0 on, as a share of 1."""

    name = "percent"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The share; what stands behind the option and is no number is a mistake."""
        try:
            percent = float(str(value).removesuffix("%"))
        except ValueError:
            percent = math.nan
        if not 0 <= percent < math.inf:
            self.fail(
                f"{value!r} is no percentage; write --fail-on-regression={DEFAULT_MARGIN}, or put "
                "CONFIG before it.",
                param,
                ctx,
            )
        return percent / 100


@click.command("measure")
@click.argument("config", type=click.Path(path_type=Path), required=False)
@click.option("--dry-run", is_flag=True, help="Say what would be measured, and what not, and stop.")
@click.option("--resume", is_flag=True, help="Measure what is missing of an earlier measurement.")
@click.option("--retry-errors", is_flag=True, help="The same, and try again what failed.")
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path),
    help="Where it goes.  [default: the config's, or results/measure-<hash>]",
)
@click.option(
    "--show",
    "shown",
    type=click.Path(path_type=Path),
    help="Print the report of this folder, or file, again, and measure nothing.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([TABLE, *WRITERS]),
    default=TABLE,
    show_default=True,
    help="How the report is printed.",
)
@click.option("--markdown", "form", flag_value="markdown", help="--format markdown.")
@click.option("--json", "form", flag_value="json", help="--format json.")
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a page, which opens from disk.",
)
@click.option("--wide", is_flag=True, help="Every table of the report.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    help="Compare with an earlier report, a folder or a file.",
)
@click.option(
    "--fail-on-regression",
    "margin",
    type=Margin(),
    is_flag=False,
    flag_value=DEFAULT_MARGIN,
    metavar="[PERCENT]",
    help="Exit 1 if something is worse than in that report: if the whole interval of its change "
    f"lies beyond PERCENT.  [{DEFAULT_MARGIN} if none is given]",
)
def measure_command(  # noqa: PLR0917 - one parameter an option
    config: Path | None,
    dry_run: bool,
    resume: bool,
    retry_errors: bool,
    output_dir: Path | None,
    shown: Path | None,
    form: str,
    page: Path | None,
    wide: bool,
    against: Path | None,
    margin: float | None,
) -> None:
    """Measure the decoders that CONFIG names: speed, memory, and whether answers change.

    CONFIG is JSON, in which // begins a comment, or TOML; docs/measure.md has its keys. A decoder
    that cannot do what is asked is left out with its reason, or falls back if `fallback` says so.
    """
    output = Output(form, wide, against, margin, page)
    output.check()
    if shown is not None:
        if config is not None:
            raise UserMistake("--show prints what is measured already; drop CONFIG, or --show.")
        well = print_report(shown, output)
    elif config is not None:
        well = _measured(config, output, _How(dry_run, resume, retry_errors, output_dir))
    else:
        raise UserMistake("Give a CONFIG, or --show FOLDER; docs/measure.md has an example.")
    if not well:
        sys.exit(SOME_FAILED)


@dataclass(frozen=True, slots=True)
class _How:
    """What is done with a config."""

    dry_run: bool
    resume: bool
    retry_errors: bool
    output_dir: Path | None


def _measured(config: Path, output: Output, how: _How) -> bool:
    """Plan, measure and print; whether all of it went well."""
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
    folder = how.output_dir or asked.config.output_dir or RESULTS / f"measure-{_digest(asked)}"
    # A report that a program reads stands alone on standard output.
    _print_plan(asked, planned, folder, err=not how.dry_run)
    if how.dry_run:
        return True
    if not measured(planned):
        raise UserMistake("Nothing that is asked for can be measured; the reasons stand above.")
    from pipeline.measuring.running import measure  # noqa: PLC0415 - loads what a plan needs not

    result = measure(
        asked,
        planned,
        folder,
        resume=how.resume,
        retry_errors=how.retry_errors,
        tell=lambda line: echo(line, err=True),
    )
    well = print_report(result.folder, output)
    echo(f"{result.folder}: --show prints it again.", err=True)
    if result.failed:
        echo(f"Failed: {', '.join(result.failed)}; --retry-errors tries again.", err=True)
    return well and not result.failed


def _digest(asked: Asked) -> str:
    canonical = json.dumps(asked.config.identity, sort_keys=True).encode()
    return hashlib.sha256(canonical).hexdigest()[:DIGITS]


def _print_plan(asked: Asked, planned: tuple[Planned, ...], folder: Path, *, err: bool) -> None:
    config = asked.config
    prompts = len({ask.prompt_id for ask in asked.asks})
    echo(
        f"{config.main_model}: {counted(len(asked.asks), 'completion')} of "
        f"{counted(prompts, 'prompt')}, each {counted(config.repeats, 'time')}, into {folder}",
        err=err,
    )
    for decoder in measured(planned):
        calls = decoder.cut(asked.asks, config.batch_size)
        echo(f"  {decoder.name}: {counted(len(calls), 'call')}. {decoder.means}", err=err)
    for one in planned:
        if one.reason is not None:
            instead = "left out" if one.measured is None else f"falls back to {one.measured}"
            echo(f"  {one.asked}: unsupported: {one.reason}; {instead}", err=err)
