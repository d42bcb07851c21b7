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
from pipeline.errors import SOME_FAILED, PromptTooLong, UserMistake
from pipeline.generating.answers import ENGINE_LOG, Answer
from pipeline.generating.conversation import Conversation, read_conversation
from pipeline.generating.generation import answers_to, started
from pipeline.generating.settings import Generation
from pipeline.generating.streaming import Event
from pipeline.runs.scheduler import Engines, Progress

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
    conversation = Conversation(
        text_or_file(system_prompt), [] if history is None else read_conversation(history)
    )
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
    folder = Path(tempfile.mkdtemp(prefix="speclrm-chat-"))
    with asyncio.Runner() as runner:
        talk = Talk(generation, conversation, runner)
        talk.with_model(folder / ENGINE_LOG)
    shutil.rmtree(folder)  # only after a good end: else the message names the engine's log
    if talk.failed:
        sys.exit(SOME_FAILED)


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
    _engines: Engines | None = None

    def with_model(self, log: Path) -> None:
        """Start the model, talk until the end of input, and stop it."""
        stack, progress = contextlib.AsyncExitStack(), Progress(total=0)
        try:
            self._engines = self._run(started(self.generation, log, progress, stack))
            model = self.generation.model
            if sys.stdin.isatty():
                echo(f"{model.model} through {model.engine}; /help lists the commands.", err=True)
            for line in typed():
                if line.strip() in ENDS:
                    return
                self.take(line)
        finally:
            self._run(stack.aclose())

    def take(self, line: str) -> None:
        """Do what a line asks."""
        command, _, name = line.partition(" ")
        if not line.startswith("/"):
            if line.strip():
                self._answer(line.removeprefix(" "))
        elif command == "/help":
            echo(HELP)
        elif command == "/reset":
            self.conversation.reset()
            echo("(begun anew)", err=True)
        elif command == "/save":
            self._save(name.strip())
        else:
            echo(f"There is no command {command}; /help lists them.", err=True)

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
        except KeyboardInterrupt:
            shown.end(complete=False)
            kept = "what it has written is kept" if shown.text else "the question is dropped"
            echo(f"(stopped; {kept})", err=True)
            if shown.text:
                self.conversation.keep(question, shown.text)
            return
        finally:
            shown.is_over = True
        if answer.response is None:
            self.failed = True
            shown.end(complete=False)
            echo(_why_not(answer), err=True)
            return
        shown.end()
        self.conversation.keep(question, answer.response)
        if answer.stop in CUT:
            echo(CUT[answer.stop].format(limit=self.generation.max_new_tokens), err=True)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)


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
