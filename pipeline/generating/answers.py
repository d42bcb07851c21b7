"""What a prompt came to, and the file that holds the answers."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import UserMistake
from pipeline.experiment import differences
from pipeline.generating.prompts import ID, Prompt
from pipeline.runs.directory import append_synced, cannot_write, replace_file
from pipeline.runs.lock import InUse, RunLock
from pipeline.runs.torn_lines import complete_lines, repair_end

SETTINGS, ROWS, ENGINE_LOG, TORN = "settings.json", "rows.jsonl", "engine.log", "torn.txt"
SELF_CHECK = "self-check.json"
ANOTHER = "choose another --output-file, or start over with --overwrite"

Stop = Literal["end", "max_new_tokens", "max_length", "context"]
"""Why an answer ends: the model's own end of text, a limit, or the model's context."""
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One row of the output: of a prompt that failed `error` says why, and there is no response.

    Numbers are None where the engine does not tell them. `seconds` is wall time. `more` are fields
    that only some engines tell; see `pipeline.generating.effort`.
    """

    prompt: Prompt
    seconds: float
    response: str | None = None
    stop: Stop | None = None
    prompt_tokens: int | None = None
    tokens: int | None = None
    error: Mapping[str, str] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def record(self) -> Record:
        """As the file has it."""
        return self.prompt.recorded | {
            "response": self.response,
            "stop": self.stop,
            "prompt_tokens": self.prompt_tokens,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "error": None if self.error is None else dict(self.error),
            **self.more,
        }


@dataclass(slots=True)
class AnswerFile:
    """The output: JSON lines that grow, or one JSON list that is written when work has ended.

    Beside it lies the folder `NAME.run`: the settings, the engine's log, and the rows of a list
    that is not written yet. Each row is on the disk before the next prompt is begun. Nothing is
    changed before `begin`, so that work which cannot begin has cost nothing.
    """

    path: Path
    rows: dict[str, Record]
    settings: Mapping[str, Any]
    overwrite: bool = False
    has_begun: bool = False

    @property
    def folder(self) -> Path:
        """What belongs to the output."""
        return folder_of(self.path)

    def begin(self) -> None:
        """Make it ready for rows: set aside what is overwritten, or mend its end; write settings.

        Raises:
            RunStopped: that fails.
        """
        growing = growing_file(self.path)
        try:
            if self.overwrite:
                set_aside(self.path)
            elif growing.exists():
                repair_end(growing, self.folder / TORN)
        except OSError as error:
            raise cannot_write(growing, error.strerror) from error
        if self.overwrite or _recorded_settings(self.path) != self.settings:
            text = json.dumps(self.settings, indent=2, ensure_ascii=False) + "\n"
            replace_file(self.folder / SETTINGS, text.encode())
        self.has_begun = True

    def add(self, answer: Answer) -> None:
        """Put an answer on the disk; raises `RunStopped` where that fails."""
        record = answer.record
        append_synced(growing_file(self.path), _line(record))
        self.rows[answer.prompt.prompt_id] = record

    def write(self, prompts: Iterable[Prompt]) -> None:
        """Write the whole output, in the order of the prompts; raises `RunStopped`."""
        first = [one.prompt_id for one in prompts if one.prompt_id in self.rows]
        order = [*first, *(one for one in self.rows if one not in set(first))]
        ordered = [self.rows[one] for one in order]
        if self.path.suffix == ".json":
            text = json.dumps(ordered, ensure_ascii=False, indent=2) + "\n"
            replace_file(self.path, text.encode())
            growing_file(self.path).unlink(missing_ok=True)
        else:
            replace_file(self.path, b"".join(map(_line, ordered)))


def folder_of(output: Path) -> Path:
    """The folder beside an output."""
    return output.with_name(f"{output.name}.run")


def set_aside(output: Path) -> dict[Path, Path]:
    """Keep what an output holds in its folder, under new names; where each file is now.

    Raises `OSError`.
    """
    moved = {}
    for file in {output, growing_file(output)}:
        if file.exists():
            names = (f"replaced-{number}-{file.name}" for number in count(2))
            kept = (folder_of(output) / name for name in chain([f"replaced-{file.name}"], names))
            moved[file] = next(each for each in kept if not each.exists())
            file.replace(moved[file])
    return moved


@contextmanager
def opened(
    output: Path,
    prompts: Iterable[Prompt],
    settings: Mapping[str, Any],
    *,
    overwrite: bool,
) -> Iterator[AnswerFile]:
    """The output, held by this process, with the rows of an earlier time that are to stay.

    Raises:
        UserMistake: it is in use, was not written by this command, or with other settings or
            prompts.
    """
    if output.suffix not in {".json", ".jsonl"}:
        raise UserMistake(f"--output-file is {output}; its name must end in .jsonl or .json.")
    if output.exists() and not output.is_file():
        raise UserMistake(f"{output} is no file; choose another --output-file.")
    folder = folder_of(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = RunLock(folder)
    except InUse as owner:
        raise UserMistake(f"{output} is in use {owner}, or choose another --output-file.") from None
    except OSError as error:
        raise UserMistake(f"Cannot write beside {output} ({error.strerror}).") from error
    try:
        rows = {} if overwrite else recorded_rows(output, prompts, settings)
        yield AnswerFile(output, rows, settings, overwrite)
    finally:
        lock.release()


def recorded_rows(
    output: Path, prompts: Iterable[Prompt], settings: Mapping[str, Any]
) -> dict[str, Record]:
    """The rows of an output by their ids, which are only read; none where nothing is there.

    Raises:
        UserMistake: it was not written by this command, or with other settings or prompts.
    """
    rows, recorded = _rows_of(output), _recorded_settings(output)
    there = bool(rows) or output.exists()
    if recorded is None and there:
        lost = folder_of(output) / SETTINGS
        raise UserMistake(
            f"{output} was not written by this command, or {lost} is lost; {ANOTHER}."
        )
    changed = differences(recorded, settings) if recorded is not None and there else []
    if changed:
        listed = "\n  ".join(changed)
        raise UserMistake(f"{output} was written with other settings; {ANOTHER}:\n  {listed}")
    for prompt in prompts:
        row = rows.get(prompt.prompt_id)
        if row is not None and row | prompt.recorded != row:
            raise UserMistake(
                f"{output} has the answer to another prompt with the id {prompt.prompt_id!r}; "
                f"{ANOTHER}."
            )
    return rows


def _recorded_settings(output: Path) -> dict[str, Any] | None:
    file = folder_of(output) / SETTINGS
    try:
        recorded: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserMistake(f"{file} is unreadable ({error}); {ANOTHER}.") from error
    return recorded


def _rows_of(output: Path) -> dict[str, Record]:
    """The rows on the disk by their ids, the latest of each, but for a torn last line."""
    records: list[Record] = []
    growing = growing_file(output)
    try:
        if output.suffix == ".json" and output.exists():
            records += json.loads(output.read_bytes())
        if growing.exists():
            records += [json.loads(line) for line in complete_lines(growing)]
        return {record[ID]: record for record in records}
    except OSError as error:
        raise cannot_write(growing, error.strerror) from error
    except (ValueError, TypeError, KeyError) as error:
        raise UserMistake(
            f"{output} holds what is no row of answers ({error}); {ANOTHER}."
        ) from error


def growing_file(output: Path) -> Path:
    """The file that rows are appended to."""
    return folder_of(output) / ROWS if output.suffix == ".json" else output


def _line(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"
