"""One run's folder: its manifest, its lock, and its attempt lines.

An attempt counts as done when its line is on the disk: one append and one fsync. A kill at any
instant can therefore tear only the last line of a file, and that is cut off on the next open.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline import records
from pipeline.errors import RunStopped, UserMistake
from pipeline.experiment import differences

MANIFEST = "run.json"
MANIFEST_PARTS = {"identity", "models", "sessions", "slice"}
PROBLEMS = "problems"
REPLACED = "replaced.jsonl"
VERDICTS = "verdicts.jsonl"
ENGINE_LOG = "engine.log"
LOCK = ".lock"
TAIL_BLOCK_BYTES = 1 << 16

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a run directory holds: the keys done, and how many of them are error records."""

    keys: frozenset[Key]
    errors: int


class RunDirectory:
    """An open run directory; use it as a context manager, it holds the lock.

    Raises:
        UserMistake: the folder cannot be written, or another process has it open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            (path / PROBLEMS).mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise UserMistake(
                f"Cannot write to the run directory {path} ({error.strerror}); "
                "choose another with --output-dir."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(self._lock, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._lock)
            raise UserMistake(
                f"The run directory {path} is in use by another process (pid {owner}); "
                "wait for it to end, or choose another with --output-dir."
            ) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._lock)

    def manifest(self) -> dict[str, Any] | None:
        """The manifest of an earlier session, or None in a new directory."""
        return read_manifest(self.path) if (self.path / MANIFEST).exists() else None

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write run.json so that a reader sees the old one or the new one, never half of one."""
        text = json.dumps(manifest, indent=2, ensure_ascii=False, sort_keys=False) + "\n"
        replace_file(self.path / MANIFEST, text.encode())

    def repair(self) -> int:
        """Cut torn last lines, and give a whole last line its newline; how many were cut."""
        return sum(_repair_tail(file) for file in attempt_files(self.path))

    def recorded(self) -> Recorded:
        """The keys of all attempts on the disk.

        Raises:
            UserMistake: a line is unreadable, or an attempt stands twice.
        """
        keys: set[Key] = set()
        errors = 0
        for attempt in read_attempts(self.path):
            if attempt.key in keys:
                raise UserMistake(
                    f"Problem {attempt.problem_id}, repeat {attempt.repeat_id} stands twice in "
                    f"{self.path / PROBLEMS}; remove one of the two lines."
                )
            keys.add(attempt.key)
            errors += attempt.status == "error"
        return Recorded(frozenset(keys), errors)

    def withdraw(self, keys: frozenset[Key], *, only_errors: bool) -> int:
        """Move the lines of `keys` to replaced.jsonl, so that they are run again; how many moved.

        A line is copied before it is removed: a kill between the two loses nothing.
        """
        moved = 0
        for file in attempt_files(self.path):
            kept: list[bytes] = []
            out: list[bytes] = []
            for line in file.read_bytes().splitlines(keepends=True):
                attempt = records.decode(line)
                leaves = attempt.key in keys and not (only_errors and attempt.status == "ok")
                (out if leaves else kept).append(line)
            if out:
                append_synced(self.path / REPLACED, b"".join(out))
                replace_file(file, b"".join(kept))
                moved += len(out)
        return moved

    def append(self, attempt: records.Attempt) -> None:
        """Put one attempt on the disk; it is there when this returns.

        Raises:
            RunStopped: the disk is full or failing; the file is left as it was.
        """
        append_synced(problem_file(self.path, attempt), records.encode(attempt))


def problem_file(run: Path, attempt: records.Attempt) -> Path:
    """The file of an attempt's problem."""
    return run / PROBLEMS / f"{attempt.dataset}-{attempt.problem_id}.jsonl"


def attempt_files(run: Path) -> list[Path]:
    """The files that hold a run's attempt lines."""
    return sorted((run / PROBLEMS).glob("*.jsonl"))


def read_manifest(run: Path) -> dict[str, Any]:
    """The manifest of a run.

    Raises:
        UserMistake: there is no run here, or its manifest is unreadable.
    """
    file = run / MANIFEST
    try:
        manifest = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise UserMistake(
            f"{run} is not a run directory (it has no {MANIFEST}); "
            "name one that `speclrm run` made."
        ) from error
    except (OSError, ValueError) as error:
        raise UserMistake(f"{file} is unreadable ({error}); restore it from a copy.") from error
    if not isinstance(manifest, dict) or not manifest.keys() >= MANIFEST_PARTS:
        parts = ", ".join(sorted(MANIFEST_PARTS))
        raise UserMistake(f"{file} lacks parts of a manifest ({parts}); restore it from a copy.")
    return manifest


def read_attempts(run: Path) -> Iterator[records.Attempt]:
    """Every attempt of a run, one line in memory at a time.

    A torn last line (a run may be writing it now) is passed over.

    Raises:
        UserMistake: a whole line is not an attempt.
    """
    for file in attempt_files(run):
        yield from read_file(file)


def read_file(file: Path) -> Iterator[records.Attempt]:
    """Every attempt of one problem's file; see `read_attempts`."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                yield records.decode(line)
            except records.CorruptRecord as error:
                raise UserMistake(
                    f"{file}, line {number} is not an attempt record ({error}); "
                    "move that line to another file and run the same command again."
                ) from error


def refuse_changes(run: Path, recorded: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Refuse to mix two experiments in one directory.

    Raises:
        UserMistake: a setting differs; the message shows each.
    """
    changed = differences(recorded, asked)
    if changed:
        listed = "\n  ".join(changed)
        raise UserMistake(
            f"{run} holds a run with other settings; choose another --output-dir, "
            f"or ask for the recorded ones:\n  {listed}"
        )


def append_synced(file: Path, line: bytes) -> None:
    """Append `line` whole or not at all, and wait until it is on the disk.

    Raises:
        RunStopped: the disk is full or failing.
    """
    new = not file.exists()
    try:
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    except OSError as error:
        raise _cannot_write(file, error) from error
    try:
        before = os.fstat(handle).st_size
        try:
            _write_whole(handle, line)
            os.fsync(handle)
        except OSError as error:
            os.ftruncate(handle, before)
            raise _cannot_write(file, error) from error
    finally:
        os.close(handle)
    if new:
        _sync_folder(file.parent)


def replace_file(file: Path, content: bytes) -> None:
    """Replace `file` in one step that a kill cannot halve.

    Raises:
        RunStopped: the disk is full or failing.
    """
    fresh = file.with_name(file.name + ".new")
    try:
        with fresh.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        fresh.replace(file)
    except OSError as error:
        raise _cannot_write(file, error) from error
    _sync_folder(file.parent)


def _write_whole(handle: int, line: bytes) -> None:
    """Write all of `line`; a short write is what a disk that fills up answers with."""
    if os.write(handle, line) != len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _cannot_write(file: Path, error: OSError) -> RunStopped:
    return RunStopped(
        f"Cannot write {file} ({error.strerror}); free space or mend the disk, "
        "then run the same command again: finished attempts are kept."
    )


def _repair_tail(file: Path) -> bool:
    """Mend the last line of `file`; whether something was cut."""
    with file.open("r+b") as handle:
        size = handle.seek(0, os.SEEK_END)
        tail = b""
        start = size
        while start and b"\n" not in tail:
            start = max(0, start - TAIL_BLOCK_BYTES)
            handle.seek(start)
            tail = handle.read(size - start)
        last = tail.rpartition(b"\n")[2]
        if not last:
            return False
        try:
            records.decode(last)
        except records.CorruptRecord:
            handle.truncate(size - len(last))
            cut = True
        else:
            handle.seek(0, os.SEEK_END)
            handle.write(b"\n")
            cut = False
        handle.flush()
        os.fsync(handle.fileno())
        return cut
