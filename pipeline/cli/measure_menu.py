"""`speclrm measure` without a config: a menu for a terminal, or for the lines of a pipe."""

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from evaluators.reports.measured.report_file import MANIFEST, REPORT
from pipeline.cli.console import echo_wrapped
from pipeline.cli.measure_report import RESULTS, How, Output, print_report
from pipeline.cli.terminal import echo
from pipeline.errors import UserMistake
from pipeline.measuring.config_reading import read_config
from pipeline.measuring.table import DECODERS, decoders_named
from pipeline.resources import examples_dir

EXAMPLES = {
    "quick": "five decoders, two prompts, bundled models",
    "example": "the four ways and their assisted twins, three prompts, several completions",
    "comprehensive": "every decoder, on problems, five passes",
}
OWN, SHOW, LEAVE = "own", "show", "leave"
CHOICES = (*EXAMPLES, OWN, SHOW, LEAVE)
MEANS = EXAMPLES | {
    OWN: "a config of your own",
    SHOW: "the last report",
    LEAVE: "or the end of input",
}
MEASURE, DRY_RUN, BACK = "measure", "dry-run", "back"
ALL = "as in the config"
Answer = TypeVar("Answer")


class InputEnded(Exception):  # noqa: N818 - named for what happened
    """Nothing more will be said."""


@dataclass(slots=True)
class _Menu:
    """The menu, whether all that it did went well, and the folders in which it has measured.

    `mistaken`: whether the last question was answered with a mistake at first.
    """

    output: Output
    well: bool = True
    mistaken: bool = False
    folders: list[Path] = field(default_factory=list)

    def ask(self) -> bool:
        """Ask once and do it; whether to ask again.

        Raises:
            InputEnded: nobody answers.
        """
        for number, name in enumerate(CHOICES, 1):
            echo(f"{number} {name}: {MEANS[name]}")
        chosen = self._chosen("What", CHOICES)
        if chosen == LEAVE:
            return False
        try:
            if chosen == SHOW:
                self.well = print_report(_last(self.folders), self.output) and self.well
            else:
                self._measure(chosen)
        except UserMistake as mistake:
            echo(f"Error: {mistake}", err=True)
            self.well = False
        return True

    def _measure(self, chosen: str) -> None:
        file = examples_dir() / f"measure_{chosen}.json"
        if chosen == OWN:
            own = self._answer("Its path", _config)
            if own is None:
                self.well = self.well and not self.mistaken
                return
            file = own
        echo_wrapped(f"Decoders: {', '.join(DECODERS)}")
        decoders = self._answer(f"Which, with commas [{ALL}]", _decoders)
        what = self._chosen("What to do with it", (MEASURE, DRY_RUN, BACK))
        if what == BACK:
            return
        from pipeline.cli.measure_run import measure_file  # noqa: PLC0415 - loads torch

        # What is there already is gone on with, and nothing is measured twice.
        how = How(what == DRY_RUN, True, False, None, decoders)
        done = measure_file(file, self.output, how)
        self.folders.append(done.folder)
        self.well = done.well and self.well

    def _chosen(self, question: str, names: tuple[str, ...]) -> str:
        asked = f"{question} ({', '.join(names)}) [{names[0]}]"
        return self._answer(asked, partial(_name_of, names))

    def _answer(self, question: str, meant: Callable[[str], Answer]) -> Answer:
        """What an answer means; asked again, saying why, as long as `meant` refuses it."""
        self.mistaken = False
        while True:
            given = _line(question)
            try:
                return meant(given)
            except UserMistake as mistake:
                echo(f"Error: {mistake}", err=True)
                self.mistaken = True


def menu(output: Output) -> bool:
    """Ask and do until somebody leaves, or the input ends; whether all of it went well.

    Raises:
        RunStopped: a measurement was interrupted, or the disk failed.
    """
    asked = _Menu(output)
    try:
        while asked.ask():
            pass
    except InputEnded:
        echo("")
        return asked.well and not asked.mistaken
    return asked.well


def _name_of(names: tuple[str, ...], given: str) -> str:
    """One of the names, given by itself, its beginning or its number; the first for nothing."""
    given = given.lower()
    if not given:
        return names[0]
    if given.isdecimal() and 1 <= int(given) <= len(names):
        return names[int(given) - 1]
    found = [name for name in names if name.startswith(given)]
    if len(found) == 1 or given in names:
        return given if given in names else found[0]
    raise UserMistake(f"There is no {given!r}; there are: {', '.join(names)}.")


def _config(given: str) -> Path | None:
    """The path of a config that can be read; None for an empty line."""
    if not given:
        return None
    # As a shell does it: what begins with the name of no user stays as it is.
    file = Path(os.path.expanduser(given))  # noqa: PTH111 - pathlib's raises there
    read_config(file)
    return file


def _decoders(given: str) -> str | None:
    """Names with commas; None for those of the config."""
    if not given or given == ALL:
        return None
    decoders_named(given)
    return given


def _line(question: str) -> str:
    """What somebody answers, without the spaces around it.

    Raises:
        InputEnded: the input has ended, or there is none.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise InputEnded
    try:
        return input(f"{question}: ").strip()
    except EOFError:
        raise InputEnded from None
    except UnicodeDecodeError as error:
        raise UserMistake("What was answered is no text in UTF-8.") from error


def _last(folders: Iterable[Path]) -> Path:
    """Of these, of what lies here and of what lies in the results: what was measured last."""
    beside = [file.parent for place in (Path(), RESULTS) for file in place.glob(f"*/{MANIFEST}")]
    reports = [folder / REPORT for folder in (*folders, *beside)]
    found = [(file.stat().st_mtime, file.parent) for file in reports if file.exists()]
    if not found:
        raise UserMistake(
            f"Nothing is measured here or in {RESULTS}; speclrm measure --show FOLDER shows others."
        )
    return max(found)[1]
