"""What of a run directory was last alike with its store, as it is known between sessions."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from evaluators.run_files.attempt_lines import PROBLEMS
from pipeline.runs import durable_lines


@dataclass(frozen=True, slots=True)
class Alike:
    """A file and its object when they were last alike: the object's version, the file's marks."""

    version: str
    size: int
    modified_ns: int
    inode: int

    @classmethod
    def of(cls, version: str, stat: os.stat_result) -> "Alike":
        """A file as it was when it was read or written."""
        return cls(version, stat.st_size, stat.st_mtime_ns, stat.st_ino)

    def is_still(self, stat: os.stat_result) -> bool:
        """Whether the file is as it was."""
        return self == Alike.of(self.version, stat)


def is_of_a_run(name: str) -> bool:
    """Whether a name within a run directory is that of a file of the run."""
    folder, _, file = name.rpartition("/")
    return folder in {"", PROBLEMS} and not file.startswith(".")


def remembered(folder: Path) -> dict[str, Alike]:
    """What was alike; where that is not known, everything is compared."""
    try:
        content = json.loads(memory_of(folder).read_bytes())
        return {name: Alike(**one) for name, one in content.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def remember(folder: Path, alike: Mapping[str, Alike]) -> None:
    """Write down what is alike. Raises `OSError`."""
    memory = memory_of(folder)
    memory.parent.mkdir(parents=True, exist_ok=True)
    content = {name: asdict(one) for name, one in alike.items()}
    durable_lines.replace_file(memory, json.dumps(content).encode())


def memory_of(folder: Path) -> Path:
    """Where that is written down."""
    return folder.with_name(f".{folder.name}.alike.json")


def changed_in(folder: Path, alike: Mapping[str, Alike]) -> list[str]:
    """The files of a run that are not in its store as they are, by what is known of it."""
    return [name for name, stat in files_of(folder) if differs(name, stat, alike)]


def differs(name: str, stat: os.stat_result, alike: Mapping[str, Alike]) -> bool:
    """Whether a file is not as it was when it was last alike."""
    return name not in alike or not alike[name].is_still(stat)


def files_of(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The files of the run, as far as they stay while they are looked at."""
    for place, prefix in ((folder, ""), (folder / PROBLEMS, f"{PROBLEMS}/")):
        try:
            entries = list(os.scandir(place))
        except FileNotFoundError:
            continue
        for entry in entries:
            name = prefix + entry.name
            if is_of_a_run(name) and entry.is_file():
                yield name, entry.stat()
