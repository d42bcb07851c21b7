"""The command `speclrm`: a group of lazily loaded commands, and the one place that turns an error
of ours into a sentence and an exit code.
"""

import contextlib
import importlib
import io
import os
import select
import signal
import sys
from collections.abc import Iterator
from typing import Any

import click

from pipeline.cli.hints import hint_for, instead_of, refuse_flag_as_value, script_in
from pipeline.cli.terminal import echo
from pipeline.engines.masking import Secrets
from pipeline.errors import RUN_STOPPED, USER_MISTAKE, EngineFailure, RunStopped, UserMistake
from pipeline.near_match import near_match
from pipeline.stores.addresses import as_addresses, root_kept

COMMANDS = {
    "run": "pipeline.cli.run:run_command",
    "merge": "pipeline.cli.merge:merge_command",
    "status": "pipeline.cli.status:status_command",
    "table": "pipeline.cli.table:table_command",
    "generate": "pipeline.cli.generate:generate_command",
    "measure": "pipeline.cli.measure:measure_command",
    "chat": "pipeline.cli.chat:chat_command",
    "grade": "pipeline.cli.grade:grade_command",
    "leaderboard": "pipeline.cli.leaderboard:leaderboard_command",
    "compare": "pipeline.cli.compare:compare_command",
    "plan": "pipeline.cli.plan:plan_command",
    "show": "pipeline.cli.show:show_command",
    "export": "pipeline.cli.export:export_command",
    "import": "pipeline.cli.imports:import_command",
    "replay": "pipeline.cli.replay:replay_command",
    "vote": "pipeline.cli.vote:vote_command",
    "datasets": "pipeline.cli.datasets:datasets_command",
    "doctor": "pipeline.cli.doctor:doctor_command",
}
SUMMARIES = {
    "run": "Run an experiment, or continue one.",
    "merge": "Put the shards of a run together.",
    "status": "Say what runs, what is unfinished, how far, and what it cost so far.",
    "table": "Run a file of experiments, rows by columns, and print the table.",
    "generate": "Answer prompts of your own, into one file.",
    "measure": "Measure ways of generating side by side: speed, memory, agreement.",
    "chat": "Talk to a model.",
    "grade": "Grade run directories, or explain one answer.",
    "leaderboard": "Show graded runs in a table, or on a page with every trace.",
    "compare": "Compare graded runs in pairs, problem by problem.",
    "plan": "Say how many problems and repeats a comparison needs.",
    "show": "Show one attempt as a readable trace.",
    "export": "Write runs for Inspect, the Hugging Face hub or a spreadsheet.",
    "import": "Turn results of SpecReason, SSR or lm-eval into a run.",
    "replay": "Replay a run's scores at other thresholds.",
    "vote": "Repeat a run's votes under other rules.",
    "datasets": "List the datasets, or check one.",
    "doctor": "Check what is installed and what would work.",
}
READER_GONE = 128 + signal.SIGPIPE
"""What a shell sees of a program that wrote into a pipe that is no longer read."""


class ReaderGone(Exception):  # noqa: N818 - named for what happened
    """Whatever reads this program's output has ended, as `head` does when it has its lines."""


class LazyGroup(click.Group):
    """A group that imports a command only when it is called: `--help` must not load an engine."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands in the order a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names, or what to type instead."""
        name = script_in(args)
        hint = instead_of(name) if args[0] not in COMMANDS else None
        if hint is not None:
            ctx.fail(f"No such command {name!r}; type {hint}.")
        near = near_match(name, COMMANDS) if args[0] not in COMMANDS else None
        if near is not None:
            ctx.fail(f"No such command {name!r}; did you mean {near}?")
        found, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            with click.Context(command, info_name=found, parent=ctx) as context:
                refuse_flag_as_value(command, context, rest)
        return found, command, rest

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Here `--help` is printed, for which somebody must be reading."""
        with _reader_told_apart():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Here a command runs and prints."""
        with _reader_told_apart():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands, written without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, SUMMARIES[name]) for name in COMMANDS])


@click.group(
    cls=LazyGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        # The spellings of the original SSR scripts: --dataset_name, --problem_id, ...
        "token_normalize_func": lambda token: token.replace("_", "-"),
    },
)
@click.version_option(package_name="speclrm")
def group() -> None:
    """SpecLRM: test-time reasoning experiments on math problems, graded and costed.

    \b
    speclrm run baseline --dataset pocket --problem-id first:10
    speclrm grade results/RUN
    speclrm leaderboard results/RUN...
    speclrm compare results/FIRST results/SECOND
    """  # noqa: D301 - click wants the control character \\b, which keeps the lines apart


def main() -> None:
    """The console script.

    Exit codes: 0 done, 1 finished but some attempts failed, 2 the user's mistake, 3 the run could
    not go on.
    """
    # What is said at the end names addresses in the place of their folders, too.
    with root_kept():
        _main()


def _main() -> None:
    try:
        group.main(standalone_mode=False)
    except click.ClickException as error:
        said = io.StringIO()
        # Its usage lines stand before it, and it may name an argument.
        error.show(file=said)
        hint = hint_for(error)
        if hint is not None:
            said.write(f"Instead: {hint}\n")
        echo(Secrets.of().masked(said.getvalue().rstrip("\n")), err=True)
        sys.exit(USER_MISTAKE)
    except UserMistake as error:
        _fail(as_addresses(str(error)), USER_MISTAKE)
    except (RunStopped, EngineFailure) as error:
        _fail(str(error), RUN_STOPPED)
    except ReaderGone:
        _leave_the_pipe()
        sys.exit(READER_GONE)
    except (click.Abort, KeyboardInterrupt):
        _fail("Interrupted.", RUN_STOPPED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        _fail(f"{where}{error.strerror or error}", RUN_STOPPED)


def _fail(sentence: str, code: int) -> None:
    # Standard error may go into the same closed pipe as standard output.
    with contextlib.suppress(BrokenPipeError):
        echo(f"Error: {Secrets.of().masked(sentence)}", err=True)
    sys.exit(code)


@contextlib.contextmanager
def _reader_told_apart() -> Iterator[None]:
    """A broken output pipe ends the program silently; any other broken pipe is an error."""
    try:
        yield
    except BrokenPipeError as error:
        if not any(_nobody_reads(handle) for handle in (sys.stdout, sys.stderr)):
            raise RunStopped(f"A process of this program's has ended ({error}).") from error
        raise ReaderGone from error


def _nobody_reads(stream: Any) -> bool:
    try:
        handle = stream.fileno()
    except (OSError, ValueError):
        return False
    watch = select.poll()
    watch.register(handle, 0)
    return any(event & select.POLLERR for _, event in watch.poll(0))


def _leave_the_pipe() -> None:
    """Let what Python still wants to write when it ends go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if _nobody_reads(stream):
            os.dup2(nowhere, stream.fileno())
