"""What an importer reads from a foreign file: attempts, and the settings they were made under."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserMistake
from pipeline.records import Failure, Tokens, Track, Vote

Usage = dict[str, dict[str, Tokens]]


@dataclass(frozen=True, slots=True)
class Settings:
    """How foreign attempts were made, in our words; None is unknown."""

    reasoner: str
    model: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    token_budget: int | None = None
    score_threshold: float | None = None
    score_method: str | None = None


@dataclass(frozen=True, slots=True)
class Solved:
    """One foreign attempt. Its tracks' answers are not extracted yet.

    `choices` are the choices as they were shown, or None where the file does not hold them.
    """

    settings: Settings
    tracks: tuple[Track, ...]
    vote: Vote | None
    response: str | None
    usage: Usage | None
    seconds: float | None
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What a foreign file says of one attempt: `problem` is the problem's name in our dataset."""

    where: str
    problem: str
    repeat_id: int
    found: Solved | Failure


def corrupt(where: str, problem: str, repeat_id: int, error: Exception) -> Entry:
    """The entry of an attempt that cannot be read: it is kept, as a failed one."""
    return Entry(where, problem, repeat_id, Failure("CorruptEntry", str(error)))


def files_under(paths: tuple[Path, ...], pattern: str) -> list[Path]:
    """The files of `paths`, folders searched for `pattern`, sorted.

    Raises:
        UserMistake: a path does not exist, or a folder holds no such file.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob(pattern) if file.is_file())
            if not inside:
                raise UserMistake(f"{path} holds no {pattern} file; name the results' folder.")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            what = "is a pipe or a device" if path.exists() else "does not exist"
            raise UserMistake(f"{path} {what}; name result files or their folder.")
    return found


def generated(count: int) -> Tokens:
    """Tokens of which only the generated ones are known."""
    return Tokens(None, None, count, None, None)
