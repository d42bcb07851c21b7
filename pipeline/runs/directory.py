"""One run's folder: its manifest, its lock, and its attempt lines.

An attempt counts as done when its line is on the disk: one append and one fsync. A kill at any
instant can therefore tear only the last line of a file, and the next run moves that to TORN.
"""

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from evaluators.run_files import attempt_lines, run_manifest
from pipeline import records
from pipeline.errors import RunStopped, UserMistake
from pipeline.experiment import differences
from pipeline.runs import durable_lines
from pipeline.runs.lock import HELD, InUse, RunLock
from pipeline.runs.mirroring import StoreProcess
from pipeline.runs.recorded import Key, Recorded
from pipeline.runs.torn_lines import complete_lines, repair_end
from pipeline.stores.addresses import is_staged

MANIFEST = run_manifest.MANIFEST
MANIFEST_PARTS = {"identity", "models", "sessions", "slice"}
PROBLEMS = attempt_lines.PROBLEMS
ENGINE_LOG = "engine.log"
TORN = "torn.txt"
"""What was cut off the ends of files: each a line a kill had torn."""


class RunDirectory:
    """An open run directory; use it as a context manager, it holds the lock.

    Raises:
        UserMistake: the folder cannot be written, or another process has it open.
        RunStopped: it stages a run of a store, which does not answer.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made_here = not path.exists()
        self._store: StoreProcess | None = None
        try:
            (path / PROBLEMS).mkdir(parents=True, exist_ok=True)
            self.lock = RunLock(path)
            self._open_store()
        except InUse as owner:
            raise UserMistake(
                f"The run directory {path} is in use {owner}, or choose another with --output-dir."
            ) from owner
        except OSError as error:
            raise UserMistake(
                f"Cannot write to the run directory {path} ({error.strerror}); choose another with "
                "--output-dir (of a merge, with --into)."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        trouble = None if self._store is None else self._store.finish()
        self.lock.release()
        if trouble is None:
            return
        if error is None:
            raise RunStopped(trouble)
        if isinstance(error, UserMistake | RunStopped) and trouble not in str(error):
            raise type(error)(f"{error} {trouble}") from error

    def check_store(self) -> None:
        """Look whether what is recorded here still goes to the store, if there is one behind it.

        Raises:
            RunStopped: the store does not answer, or the run was taken over.
        """
        if self._store is not None:
            self._store.check()

    def _open_store(self) -> None:
        """Of a folder that stages a run: take its lease, and make the folder as new as the store.

        Raises:
            InUse: somebody else has the lease.
            UserMistake: the store cannot be used.
            RunStopped: the store does not answer.
        """
        if not is_staged(self.path):
            return
        try:
            self._store = StoreProcess.started(self.path, self.lock.handle)
            self.share_lock(self._store.process.pid)
        except BaseException:
            self.take_back()
            self.lock.release()
            raise

    def share_lock(self, pid: int) -> None:
        """Let a process that has inherited the lock's handle hold the directory as well.

        Raises:
            RunStopped: the disk is full or failing.
        """
        try:
            self.lock.share(pid)
        except OSError as error:
            raise cannot_write(self.path / HELD, error.strerror) from error

    def take_back(self) -> Path | None:
        """Remove the folder if no run has begun in it; where the engines' log is, if there is one.

        The log of a folder that goes is kept beside it. A folder that was there before stays.
        """
        log = self.path / ENGINE_LOG
        if (self.path / MANIFEST).exists() or attempt_files(self.path):
            return log if log.exists() else None
        # What somebody else has put there meanwhile stays, and its folder with it.
        with contextlib.suppress(OSError):
            if self._made_here and log.exists():
                log = log.replace(self.path.with_name(f"{self.path.name}.{ENGINE_LOG}"))
            (self.path / PROBLEMS).rmdir()
            self.lock.remove()
            if self._made_here:
                self.path.rmdir()
        return log if log.exists() else None

    def manifest(self) -> dict[str, Any] | None:
        """The manifest of an earlier session, or None in a new directory."""
        return read_manifest(self.path) if (self.path / MANIFEST).exists() else None

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write run.json so that a reader sees the old one or the new one, never half of one."""
        text = json.dumps(manifest, indent=2, ensure_ascii=False, sort_keys=False) + "\n"
        replace_file(self.path / MANIFEST, text.encode())

    def repair(self, names: Collection[str]) -> list[str]:
        """Make whole lines of the ends of the run's files; what was cut, each in a sentence.

        A last line that lacks nothing but its newline gets it, and one that is torn goes to TORN.
        Only attempt files of these `names` are the run's. What a kill left of one that was being
        replaced goes too. Call it when nothing is left to refuse.

        Raises:
            RunStopped: the disk is full or failing.
        """
        for file in (self.path / PROBLEMS).iterdir():
            if durable_lines.UNFINISHED.fullmatch(file.name):
                file.unlink()
        withdrawn = self.path / durable_lines.REPLACED
        files = [file for file in attempt_files(self.path) if file.name in names]
        files += [withdrawn] if withdrawn.exists() else []
        torn = self.path / TORN
        said = []
        for file in files:
            try:
                cut = repair_end(file, torn)
            except OSError as error:
                raise cannot_write(file, error.strerror) from error
            if cut:
                said.append(f"the last line of {file} was torn; its {cut} bytes are now in {torn}.")
        return said

    def append(self, attempt: records.Attempt) -> None:
        """Put one attempt on the disk; it is there when this returns.

        A run with engines sends its attempts through `pipeline.runs.writer` instead.

        Raises:
            RunStopped: the disk is full or failing; the file is left as it was.
        """
        append_synced(problem_file(self.path, attempt), records.encode(attempt))


def problem_file(run: Path, attempt: records.Attempt) -> Path:
    """The file of an attempt's problem."""
    return run / PROBLEMS / file_name(attempt.dataset, attempt.problem_id)


def file_name(dataset: str, problem_id: str) -> str:
    """The name of the file that holds a problem's attempts."""
    return f"{dataset}-{problem_id}.jsonl"


def attempt_files(run: Path) -> list[Path]:
    """The files that hold a run's attempt lines.

    Raises:
        UserMistake: one is no file but a pipe, which nobody may ever write to, or a folder.
    """
    files = attempt_lines.problem_files(run)
    for file in files:
        if not file.is_file():
            raise UserMistake(
                f"{file} is a pipe, a folder or a broken link, not a file; move it out of the run."
            )
    return files


def read_manifest(run: Path) -> dict[str, Any]:
    """The manifest of a run.

    Raises:
        UserMistake: there is no run here, or its manifest is unreadable.
    """
    file = run / MANIFEST
    try:
        with attempt_lines.open_regular(file) as handle:
            manifest = json.loads(handle.read())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserMistake(attempt_lines.no_run_here(run)) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserMistake(f"{file} is unreadable ({error}); restore it from a copy.") from error
    if not isinstance(manifest, dict) or not manifest.keys() >= MANIFEST_PARTS:
        parts = ", ".join(sorted(MANIFEST_PARTS))
        raise UserMistake(f"{file} lacks parts of a manifest ({parts}); restore it from a copy.")
    dataset = manifest.get("dataset", {})
    if not isinstance(manifest["identity"], dict) or not isinstance(dataset, dict):
        raise UserMistake(f"{file} has no fields in identity or dataset; restore it from a copy.")
    if not isinstance(dataset.get("file"), str | None):
        raise UserMistake(f"{file} names no file by {dataset['file']!r}; restore it from a copy.")
    return manifest


def read_attempts(run: Path) -> Iterator[records.Attempt]:
    """Every attempt of a run, each key once, one line in memory at a time.

    A torn last line (a run may be writing it now) is passed over.

    Raises:
        UserMistake: a whole line is not an attempt, or none of this file, or it stands twice.
    """
    for file in attempt_files(run):
        for _, attempt in read_lines(file, _identity(run)):
            yield attempt


def recorded_attempts(run: Path) -> Recorded:
    """Which attempts of a run are on the disk, those included whose line lacks only its newline.

    Raises:
        UserMistake: a line is unreadable, or an attempt stands twice.
    """
    repeats: dict[str, int] = {}
    failed: dict[str, int] = {}
    identity = _identity(run)
    for file in attempt_files(run):
        for _, attempt in attempts_of(file, complete_lines(file), identity):
            bit = 1 << attempt.repeat_id
            repeats[attempt.problem_id] = repeats.get(attempt.problem_id, 0) | bit
            if attempt.status == "error":
                failed[attempt.problem_id] = failed.get(attempt.problem_id, 0) | bit
    return Recorded(repeats, failed)


def read_lines(file: Path, identity: Mapping[str, Any]) -> Iterator[tuple[bytes, records.Attempt]]:
    """Every attempt of one problem's file with its line; see `read_attempts`.

    `identity` is what the manifest says of the run that they are of.
    """
    return attempts_of(file, attempt_lines.whole_lines(file), identity)


def _identity(run: Path) -> Mapping[str, Any]:
    """What the manifest says of the run; nothing where it is lost."""
    identity: Mapping[str, Any] = {}
    if (run / MANIFEST).exists():
        identity = read_manifest(run)["identity"]
    return identity


def attempts_of(
    file: Path, lines: Iterator[bytes], identity: Mapping[str, Any]
) -> Iterator[tuple[bytes, records.Attempt]]:
    """The attempts of these lines of a problem's file, each with its line; see `read_lines`."""
    lines_of: dict[Key, int] = {}
    try:
        for number, line in enumerate(lines, start=1):
            attempt = _attempt_of(line, f"{file}, line {number}")
            _refuse_another_runs(attempt, identity, f"{file}, line {number}")
            problem = attempt_lines.as_written(attempt.problem_id)
            what = f"Problem {problem}, repeat {attempt.repeat_id}"
            # Since each key has one file, this and the next check hold for the whole run.
            home = file_name(attempt.dataset, attempt.problem_id)
            if file.name != home:
                raise UserMistake(
                    f"{what} is in {file}, line {number}, but belongs in {home}; "
                    f"move files that are not the run's out of {PROBLEMS}."
                )
            first = lines_of.setdefault(attempt.key, number)
            if first != number:
                raise UserMistake(
                    f"{what} appears twice in {file}, lines {first} and {number}; "
                    "remove one of the two lines."
                )
            yield line, attempt
    except OSError as error:
        raise UserMistake(f"{file} cannot be read ({error.strerror}).") from error


def _refuse_another_runs(attempt: records.Attempt, identity: Mapping[str, Any], where: str) -> None:
    for name, value in (("dataset", attempt.dataset), ("reasoner", attempt.reasoner)):
        asked = identity.get(name, value)
        # The reasoner of an imported attempt that could not be read may be unknown.
        if value != asked and (name == "dataset" or attempt.status == "ok"):
            raise UserMistake(
                f"{where} is an attempt with the {name} {value!r}, and the run has {asked!r} by "
                f"its {MANIFEST}; move that line to another file."
            )


def _attempt_of(line: bytes, where: str) -> records.Attempt:
    try:
        return records.decode(line)
    except records.CorruptRecord as error:
        raise UserMistake(
            f"{where} is not an attempt record ({error}); move that line to another file; "
            "this command then continues, and repeating `speclrm run` redoes the attempt."
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
            f"{run} holds a run with other settings. --output-dir names the directory of one run: "
            "choose another, leave it out (then each run has its own in results/), or ask for the "
            f"recorded settings:\n  {listed}"
        )


def append_synced(file: Path, line: bytes) -> None:
    """Append `line` whole or not at all, and wait until it is on the disk.

    Raises:
        RunStopped: the disk is full or failing.
    """
    try:
        if durable_lines.append(file, line):
            durable_lines.sync_folder(file.parent)
    except OSError as error:
        raise cannot_write(file, error.strerror) from error


def replace_file(file: Path, content: bytes) -> None:
    """Replace `file` in one step that a kill cannot halve.

    Raises:
        RunStopped: the disk is full or failing.
    """
    try:
        durable_lines.replace_file(file, content)
    except OSError as error:
        raise cannot_write(file, error.strerror) from error


def cannot_write(file: Path, reason: str | None) -> RunStopped:
    """The error for a full or failing disk."""
    return RunStopped(
        f"Cannot write {file} ({reason}); free space or repair the disk, "
        "then run the same command again: finished attempts are kept."
    )
