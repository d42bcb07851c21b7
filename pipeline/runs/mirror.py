"""A run directory and its objects in a store: what is new on either side goes to the other.

Files are uploaded whole, up to their last complete line. What both sides have changed since they
were last alike is put together: no line is lost, and each attempt is there once.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluators.run_files.attempt_lines import PROBLEMS
from evaluators.run_files.run_manifest import MANIFEST
from evaluators.run_files.verdict_rows import VERDICTS
from pipeline.errors import UserMistake
from pipeline.runs import durable_lines
from pipeline.runs.alike import (
    Alike,
    changed_in,
    differs,
    is_of_a_run,
    memory_of,
    remember,
    remembered,
)
from pipeline.runs.both_sides import behind_what_is_same, each_attempt_once, manifests
from pipeline.runs.torn_lines import repair_end
from pipeline.stores.failures import Overtaken
from pipeline.stores.objects import Objects
from pipeline.stores.patience import Trouble

LOG_ENDING = ".log"
TORN = "torn.txt"
BEFORE_ATTEMPTS = (MANIFEST, durable_lines.REPLACED)
"""What must be in the store before the attempts that were made after it."""
AT_ONCE = 16
"""Objects on their way at the same time."""


Content = tuple[bytes, os.stat_result | None]
"""What a file held, and its marks before it was read; none if it was not there."""


@dataclass(slots=True)
class Mirror:
    """A folder and the objects that it mirrors; what was last alike is known between sessions.

    A mere `copy` holds nothing of its own, and no logs.
    """

    folder: Path
    objects: Objects
    copy: bool = False
    alike: dict[str, Alike] = field(default_factory=dict)
    moved: int = 0
    """Files that went to the store or came from it."""
    _sent: dict[str, set[bytes]] = field(default_factory=dict)
    """Digests of what may have arrived, though no answer came."""

    def __post_init__(self) -> None:
        self.alike = remembered(self.folder)

    def pull(self) -> None:
        """Make the folder as new as the store, and keep in it what the store does not have yet.

        Raises:
            UserMistake: both have been changed, and are of runs with other settings.
        """
        found = {
            name: one
            for name, one in self.objects.found().items()
            if is_of_a_run(name) and not (self.copy and name.endswith(LOG_ENDING))
        }
        for name in sorted(self.alike.keys() - found.keys()):
            self._lost(name)
        changed = [
            name
            for name, one in found.items()
            if name not in self.alike
            or self.alike[name].version != one.version
            or not (self.folder / name).exists()
        ]
        for start in range(0, len(changed), AT_ONCE):
            names = changed[start : start + AT_ONCE]
            # What has arrived stays, though not all has: the next try has the less to do.
            failed: list[Trouble] = []
            for name, content in zip(names, self._read(names), strict=True):
                if isinstance(content, Trouble):
                    failed.append(content)
                elif len(content) != found[name].size:
                    failed.append(Trouble(f"{name} was changed while it was read"))
                else:
                    self._take(name, content, found[name].version)
                    self.moved += 1
            self._remember()
            if failed:
                raise failed[0]
        self._remember()

    def push(self, *, everything: bool) -> None:
        """Upload what has changed here; `everything`, when the run has ended, is with its logs.

        Raises:
            Overtaken: somebody else has written there meanwhile.
        """
        if not (self.folder / MANIFEST).exists():
            return
        attempts = [name for name in self.changed() if name.startswith(f"{PROBLEMS}/")]
        for start in range(0, len(attempts), AT_ONCE):
            names = attempts[start : start + AT_ONCE]
            contents = [self._whole_lines(name) for name in names]
            # Read before these are looked at, the attempts cannot be newer than they are.
            self._write(BEFORE_ATTEMPTS)
            self._write(names, contents)
        others = [name for name in self.changed() if name not in attempts]
        self._write([name for name in others if everything or not name.endswith(LOG_ENDING)])

    def put_right(self) -> list[str]:
        """Put back what others have removed or overwritten in the store since it was uploaded.

        Their lines stay where they made others; which files that were. Only of a folder to which
        nobody writes.

        Raises:
            Overtaken: somebody else has written there meanwhile.
        """
        unlike = self._unlike()
        for name in unlike:
            # As if this side had changed, too: what the store holds is not all that there was.
            self.alike[name] = Alike(self.alike[name].version, -1, 0, 0)
        if unlike:
            found = self.objects.found()
            for name in unlike:
                if name not in found:
                    del self.alike[name]
            self.pull()
            self.push(everything=True)
        return unlike

    def is_in_store(self) -> bool:
        """Whether the store holds every file as it is here; it is asked."""
        return not self.changed() and not self._unlike()

    def _unlike(self) -> list[str]:
        found = self.objects.found()
        return [
            name
            for name, one in self.alike.items()
            if name not in found or found[name].version != one.version
        ]

    def send(self, name: str) -> None:
        """Upload one file as it is."""
        self._write([name])

    def changed(self) -> list[str]:
        """The files here that are not in the store as they are."""
        return changed_in(self.folder, self.alike)

    def forget(self) -> None:
        """Drop what is known of a folder that has gone."""
        if not self.folder.exists():
            memory_of(self.folder).unlink(missing_ok=True)

    def _has_changed(self, name: str) -> bool:
        try:
            return differs(name, (self.folder / name).stat(), self.alike)
        except FileNotFoundError:
            return False

    def _whole_lines(self, name: str) -> Content:
        """A file's content up to its last complete line, and how the file was before that."""
        try:
            with (self.folder / name).open("rb") as handle:
                stat = os.fstat(handle.fileno())
                content = handle.read()
        except FileNotFoundError:
            return b"", None
        cut = content.rfind(b"\n") + 1 if name.endswith(".jsonl") else len(content)
        return content[:cut], stat

    def _write(self, names: Sequence[str], contents: Sequence[Content] = ()) -> None:
        """Upload those of the files that have changed, as they are, or were when they were read."""

        def write(name: str, content: bytes, stat: os.stat_result) -> None:
            self.alike[name] = Alike.of(self._put(name, content), stat)
            self.moved += 1

        if not contents:
            names = [name for name in names if self._has_changed(name)]
            contents = [self._whole_lines(name) for name in names]
        there = [
            (name, content, stat)
            for name, (content, stat) in zip(names, contents, strict=True)
            if stat is not None
        ]
        try:
            for _ in _side_by_side(lambda one: write(*one), there):
                pass
        finally:
            if there:
                self._remember()

    def _put(self, name: str, content: bytes) -> str:
        """Write an object in the place of the version that is known; the new version.

        Raises:
            Overtaken: there is one that is not known, and not of an earlier try.
        """
        last = None if name not in self.alike else self.alike[name].version
        if name == VERDICTS:
            # Whoever grades writes it, and it can be made again.
            last = self.objects.version(name)
        sent = self._sent.setdefault(name, set())
        sent.add(hashlib.sha256(content).digest())
        try:
            version = self.objects.write(name, content, last)
        except Overtaken as error:
            if name == VERDICTS:
                raise Trouble("somebody else grades the run") from error
            last = self.objects.version(name)
            # What somebody has removed while it was made is not to be lost.
            if last is not None and hashlib.sha256(self._read_whole(name)).digest() not in sent:
                raise Overtaken(name) from error
            version = self.objects.write(name, content, last)
        del self._sent[name]
        return version

    def _read_whole(self, name: str) -> bytes:
        try:
            return self.objects.read(name)
        except FileNotFoundError as error:
            raise Trouble(f"{name} has gone while it was read") from error

    def _read(self, names: Sequence[str]) -> list[bytes | Trouble]:
        def read(name: str) -> bytes | Trouble:
            try:
                return self._read_whole(name)
            except Trouble as trouble:
                return trouble

        return list(_side_by_side(read, names))

    def _take(self, name: str, content: bytes, version: str) -> None:
        """Put an object's content here, together with what only the file has."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            stat = file.stat()
        except FileNotFoundError:
            both = content
        else:
            known = self.alike.get(name)
            unchanged = self.copy or (known is not None and known.is_still(stat))
            both = content if unchanged else self._together(name, content)
        durable_lines.replace_file(file, both)
        alike = Alike.of(version, file.stat())
        # What the store does not have is new here.
        self.alike[name] = alike if both == content else Alike(version, -1, 0, 0)

    def _together(self, name: str, theirs: bytes) -> bytes:
        file = self.folder / name
        if name.startswith(f"{PROBLEMS}/"):
            repair_end(file, self.folder / TORN)
            withdrawn: list[bytes] = []
            both = each_attempt_once(theirs, file.read_bytes(), withdrawn)
            if withdrawn:
                durable_lines.append(self.folder / durable_lines.REPLACED, b"".join(withdrawn))
            return both
        ours = file.read_bytes()
        if name == MANIFEST:
            both_manifests = manifests(theirs, ours)
            if both_manifests is None:
                raise UserMistake(
                    f"{self.objects.address} holds a run with other settings than what is waiting "
                    f"in {self.folder.parent}/{self.folder.name}/ to be uploaded to it; move that "
                    "folder away, or choose another --output-dir."
                )
            return both_manifests
        if name == VERDICTS:
            return theirs
        return theirs + behind_what_is_same(theirs, ours)

    def _lost(self, name: str) -> None:
        """An object has gone from the store: its file goes aside, unless it holds what is new."""
        file = self.folder / name
        known = self.alike.pop(name)
        if self.copy:
            file.unlink(missing_ok=True)
        elif file.exists() and known.is_still(file.stat()):
            aside = self.folder.with_name(f".{self.folder.name}.removed") / name
            aside.parent.mkdir(parents=True, exist_ok=True)
            file.replace(aside)

    def _remember(self) -> None:
        if self.alike or memory_of(self.folder).exists():
            remember(self.folder, self.alike)


def _side_by_side(work: Any, items: Sequence[Any]) -> Iterator[Any]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(work, items)
