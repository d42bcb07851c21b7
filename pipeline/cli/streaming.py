"""Answers drawn as they grow: live in a terminal, else line by line."""

import contextlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.live import Live
from rich.text import Text

from pipeline.cli.console import safe_console
from pipeline.cli.terminal import echo
from pipeline.generating.streaming import Event, Hear

REFRESHED = 10
"""Times a second."""


def heading(prompt_id: str) -> str:
    """What stands before an answer: the id on one line, whatever it holds."""
    return f"[{' '.join(prompt_id.split())}]"


@contextlib.contextmanager
def shown_answers() -> Iterator[Hear]:
    """What draws answers on standard output until the block ends."""
    if not sys.stdout.isatty():
        lines = Lines()
        yield lines.hear
        lines.flush()
        return
    with Live(
        console=safe_console(), refresh_per_second=REFRESHED, vertical_overflow="crop"
    ) as live:
        drawn = Drawn(live)
        yield drawn.hear


@dataclass(slots=True)
class Lines:
    """Lines of answers as soon as they are whole, each with the id of its prompt before it.

    When nobody reads them any more, or nothing more can be written, answers go into their file all
    the same.
    """

    read: bool = True
    _begun: dict[str, str] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Print what is whole."""
        if event.kind == "begin":
            self._begun[event.prompt_id] = ""
            return
        *whole, rest = (self._begun.get(event.prompt_id, "") + event.text).split("\n")
        for line in whole:
            self._print(event.prompt_id, line)
        self._begun[event.prompt_id] = rest
        if event.kind == "end":
            self._end(event.prompt_id)

    def flush(self) -> None:
        """Print what is left of answers that broke off."""
        for prompt_id in [*self._begun]:
            self._end(prompt_id)

    def _end(self, prompt_id: str) -> None:
        rest = self._begun.pop(prompt_id)
        if rest:
            self._print(prompt_id, rest)

    def _print(self, prompt_id: str, line: str) -> None:
        if self.read:
            try:
                echo(f"{heading(prompt_id)} {line}")
            except OSError as error:
                self.read = False
                if not isinstance(error, BrokenPipeError):
                    why = f"Standard output takes no more ({error.strerror})"
                    echo(f"{why}; the answers go on into their file.", err=True)


@dataclass(slots=True)
class Drawn:
    """The ends of the answers that grow, as many lines of each as fit; whole ones scroll away."""

    live: Live
    _growing: dict[str, str] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Draw anew what has changed."""
        if event.kind == "begin":
            self._growing[event.prompt_id] = ""
        elif event.kind == "text":
            self._growing[event.prompt_id] += event.text
        else:
            whole = self._growing.pop(event.prompt_id)
            self.live.console.print(Text.assemble((f"{heading(event.prompt_id)} ", "bold"), whole))
        self.live.update(self._drawn())

    def _drawn(self) -> Text:
        width, height = shutil.get_terminal_size()
        each = max(1, (height - 1) // max(len(self._growing), 1))
        drawn = Text()
        for prompt_id, text in self._growing.items():
            name = f"{heading(prompt_id)} "[:width]
            room = max(1, width - len(name))
            lines = [
                line[start : start + room]
                for line in text.split("\n")
                for start in range(0, max(len(line), 1), room)
            ]
            drawn.append(name, "bold").append("\n".join(lines[-each:]) + "\n")
        return drawn
