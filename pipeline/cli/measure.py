"""`speclrm measure`: decoders side by side, on prompts or on problems."""

import math
import sys
from pathlib import Path

import click

from pipeline.cli.measure_menu import menu
from pipeline.cli.measure_report import TABLE, WRITERS, How, Output, print_report
from pipeline.cli.run_folders import LocalPath
from pipeline.errors import SOME_FAILED, UserMistake

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
    type=LocalPath(path_type=Path),
    help="Where it goes.  [default: the config's, or results/measure-<hash>]",
)
@click.option(
    "--decoders",
    metavar="NAME,…",
    help="Only these, whatever CONFIG's methods_to_test says.",
)
@click.option(
    "--probe-again",
    is_flag=True,
    help="Try anew what transformers does with the settings, whatever is kept of it.",
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
    decoders: str | None,
    probe_again: bool,
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

    Without CONFIG a menu asks for one, in a terminal or from lines of a pipe.
    """
    output = Output(form, wide, against, margin, page)
    output.check()
    work = {
        "CONFIG": config is not None,
        "--dry-run": dry_run,
        "--resume": resume,
        "--retry-errors": retry_errors,
        "--output-dir": output_dir is not None,
        "--decoders": decoders is not None,
        "--probe-again": probe_again,
    }
    given = next((name for name, is_given in work.items() if is_given), None)
    if shown is not None:
        if given is not None:
            raise UserMistake(f"--show prints what is measured already; drop {given}, or --show.")
        well = print_report(shown, output)
    elif config is not None:
        from pipeline.cli.measure_run import measure_file  # noqa: PLC0415 - loads torch

        how = How(dry_run, resume, retry_errors, output_dir, decoders, probe_again)
        well = measure_file(config, output, how).well
    elif given is not None:
        raise UserMistake(f"{given} is said of a CONFIG; give one, or neither for a menu.")
    else:
        well = menu(output)
    if not well:
        sys.exit(SOME_FAILED)
