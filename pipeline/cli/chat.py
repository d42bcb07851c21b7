"""`speclrm chat`: a conversation with a model, in a terminal or through a pipe."""

import asyncio
import contextlib
import io
import shutil
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import click

from pipeline.cli.generation_options import (
    DO_SAMPLE,
    MAX_NEW_TOKENS,
    SEED,
    model_of,
    model_options,
    sampling_of,
)
from pipeline.cli.options import given_options, text_or_file
from pipeline.cli.terminal import echo, echo_part
from pipeline.engines.settings import REFINE
from pipeline.errors import SOME_FAILED, PromptTooLong, UserMistake
from pipeline.generating.answers import ENGINE_LOG, Answer
from pipeline.generating.conversation import Conversation, read_conversation
from pipeline.generating.generation import answers_to, started
from pipeline.generating.settings import Generation
from pipeline.generating.streaming import Event
from pipeline.runs.scheduler import Engines, Progress
from pipeline.signals import ended_by_signals

ASKED_FOR, CONTINUED = "> ", ". "
LONG = '"""'
ENDS = ("/exit", "/quit", "/bye")
HELP = f"""\
/reset       begin anew
/save FILE   write the conversation to a .json file
/help        this
/exit        end, as the end of input does (Ctrl-D)
Ctrl-C ends an answer. Text of several lines stands between lines that are {LONG}. A text that
begins with / is said to the model after a space."""
UNCHECKED = (
    "Warning: --decoding refine keeps tokens that the model has not verified; speclrm generate "
    "--self-check 5 says how far its answers are the model's own."
)
CUT = {
    "max_new_tokens": "(cut: --max-new-tokens is {limit})",
    "context": "(cut: the model's context is full; /reset begins anew, /save FILE keeps this)",
}
"""What is said under an answer that the model did not end itself."""


@click.command(
    "chat",
    params=[
        click.Option(
            ["--system-prompt"], help="Stands before all: the text, or @FILE that holds it."
        ),
        click.Option(
            ["--history"],
            type=click.Path(path_type=Path),
            help="Go on with a conversation that /save wrote.",
        ),
        MAX_NEW_TOKENS,
        DO_SAMPLE,
        SEED,
        *model_options(),
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
)
def chat_command(*, system_prompt: str | None, history: Path | None, **values: Any) -> None:
    """Talk to a model.

    \b
    speclrm chat --model Qwen/Qwen3-8B
    speclrm chat --engine transformers --model MODEL --lora adapter.pth

    What is said before is part of every question. /help lists the commands.
    """  # noqa: D301 - click wants the control character \\b, which keeps the lines apart
    if history is not None and system_prompt is not None:
        raise UserMistake("--history has a beginning of its own; drop --system-prompt.")
    if history is None:
        conversation = Conversation.begun(text_or_file(system_prompt))
    else:
        conversation = Conversation(read_conversation(history))
    given = given_options()
    generation = Generation(
        model=model_of(values, given),
        sampling=sampling_of(values, given),
        seed=values["seed"],
        max_new_tokens=values["max_new_tokens"],
        max_length=sys.maxsize,
        chat_template=True,
    )
    # Typed as if it were always there; it is None where a shell has closed it.
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise UserMistake("Standard input is closed; speclrm chat reads from it what you say.")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    if generation.model.decoding == REFINE:
        echo(UNCHECKED, err=True)
    folder = Path(tempfile.mkdtemp(prefix="speclrm-chat-"))
    try:
        with asyncio.Runner() as runner:
            talk = Talk(generation, conversation, runner)
            with ended_by_signals(talk.end):
                talk.with_model(folder / ENGINE_LOG)
    except Exception:
        with contextlib.suppress(OSError):
            folder.rmdir()  # it stays if it holds the engine's log, which the message names
        raise
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder)
    if talk.failed:
        sys.exit(SOME_FAILED)


class Ended(KeyboardInterrupt):
    """SIGTERM or SIGHUP: unlike Ctrl-C it ends more than an answer or a line."""


@dataclass(slots=True)
class Talk:
    """What is typed, in order: questions to the model, and commands.

    Answers are computed in the runner's loop, which rests while somebody types: so Ctrl-C ends an
    answer, and at the prompt a line.
    """

    generation: Generation
    conversation: Conversation
    runner: asyncio.Runner
    failed: bool = False
    ended: bool = False
    _engines: Engines | None = None
    _task: asyncio.Task[Any] | None = None

    def with_model(self, log: Path) -> None:
        """Start the model, talk until the end of input, and stop it."""
        stack, progress = contextlib.AsyncExitStack(), Progress(total=0)
        try:
            self._engines = self._run(started(self.generation, log, progress, stack))
            model = self.generation.model
            if sys.stdin.isatty():
                echo(f"{model.model} through {model.engine}; /help lists the commands.", err=True)
            for line in typed():
                if line.rstrip() in ENDS:
                    return
                try:
                    self.take(line)
                except Ended:
                    raise
                except KeyboardInterrupt:
                    echo("\n(stopped)", err=True)
        finally:
            self._run(stack.aclose())

    def end(self, _number: int, _frame: FrameType | None) -> None:
        """End all on a signal: what is being computed is given up first, the second time at once.

        Raises:
            Ended: nothing is being computed.
        """
        again, self.ended = self.ended, True
        if self._task is None or again:
            raise Ended
        self._task.cancel()
        # The loop may be asleep.
        self._task.get_loop().call_soon_threadsafe(lambda: None)

    def take(self, line: str) -> None:
        """Do what a line asks."""
        if not line.startswith("/"):
            if line.strip():
                self._answer(line.removeprefix(" "))
            return
        command, *words = line.split(maxsplit=1)
        if command == "/save":
            self._save("".join(words).strip())
        elif command not in {"/help", "/reset", *ENDS}:
            echo(f"There is no command {command}; /help lists them.", err=True)
        elif words:
            echo(
                f"{command} stands alone on its line; what begins with / is said to the model "
                "after a space.",
                err=True,
            )
        elif command == "/help":
            echo(HELP)
        else:
            self.conversation.reset()
            echo("(begun anew)", err=True)

    def _save(self, name: str) -> None:
        if not name:
            echo("Name a file: /save conversation.json", err=True)
            return
        identity = self.generation.identity
        settings = {key: one for key, one in identity.items() if key != "max_length"}
        try:
            replaced = self.conversation.save(Path(name).expanduser(), settings)
        except UserMistake as error:
            self.failed = True
            echo(str(error), err=True)
        else:
            what = "saved again, with what was said since," if replaced else "saved"
            echo(f"({what} in {name})", err=True)

    def _answer(self, text: str) -> None:
        """Ask, and print what comes as it comes; what was written before Ctrl-C is kept."""
        assert self._engines is not None  # noqa: S101 - it talks only with a model
        question, shown = self.conversation.question(text), Shown()
        try:
            (answer,) = self._run(
                answers_to([question], self.generation, self._engines, shown.hear)
            )
            shown.end(complete=answer.response is not None)
            if answer.response is not None:
                self.conversation.keep(question, answer.response)
        except KeyboardInterrupt:
            shown.end(complete=False)
            if self.ended:
                raise
            kept = "what it has written is kept" if shown.text else "the question is dropped"
            echo(f"(stopped; {kept})", err=True)
            if shown.text:
                self.conversation.keep(question, shown.text)
            return
        finally:
            shown.is_over = True
        if answer.response is None:
            self.failed = True
            echo(_why_not(answer), err=True)
        elif answer.stop in CUT:
            echo(CUT[answer.stop].format(limit=self.generation.max_new_tokens), err=True)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        async def cancelled_by_signals() -> Any:
            self._task = asyncio.current_task()
            try:
                return await work
            finally:
                self._task = None

        try:
            done = self.runner.run(cancelled_by_signals())
        except asyncio.CancelledError:
            raise Ended from None
        if self.ended:
            raise Ended
        return done


@dataclass(slots=True)
class Shown:
    """An answer on standard output as it grows."""

    text: str = ""
    is_over: bool = False
    _broken: OSError | None = field(default=None)

    def hear(self, event: Event) -> None:
        """Print what is new, once; tokens may still come from an answer that was given up."""
        if self.is_over or event.kind == "end":
            return
        if event.kind == "begin" and self.text:
            self._print("\n(once more from the beginning)\n")
            self.text = ""
        self.text += event.text
        self._print(event.text)

    def end(self, *, complete: bool = True) -> None:
        """End the line, if there is one; raises what kept more of it from being written."""
        if self._broken is not None:
            raise self._broken
        if complete or self.text:
            echo("")

    def _print(self, text: str) -> None:
        if self._broken is None:
            try:
                echo_part(text)
            except OSError as error:
                self._broken = error


def typed() -> Iterator[str]:
    """Lines as they are typed, and longer texts between quotes, until the end of input."""
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401, PLC0415 - lines can be edited where it is there
    while True:
        try:
            line = _line(ASKED_FOR)
            yield " " + "\n".join(_long_text()) if line.strip() == LONG else line
        except Ended:
            raise
        except KeyboardInterrupt:
            echo("\n(Ctrl-D ends the conversation)", err=True)
        except EOFError:
            if sys.stdin.isatty():
                echo("")
            return


def _long_text() -> Iterator[str]:
    """The lines up to the next quotes; the end of input ends the text as well."""
    with contextlib.suppress(EOFError):
        while (line := _line(CONTINUED)).strip() != LONG:
            yield line


def _line(prompt: str) -> str:
    """The next line, without its end; raises `EOFError`."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        return input(prompt)
    if sys.stdin.isatty():
        echo_part(prompt, err=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\r\n")


def _why_not(answer: Answer) -> str:
    error = answer.error or {}
    if error.get("type") == PromptTooLong.__name__:
        return (
            f"The conversation is too long ({error['message']}). /reset begins anew; /save FILE "
            "keeps this one. The last question was dropped."
        )
    return f"There is no answer: {error.get('message')}"
