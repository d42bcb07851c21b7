"""A measurement: decoders take turns through all repeats; each pass and each failure is kept."""

import contextlib
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evaluators.reports.measured.report_file import ANSWERS, MANIFEST, REPORT, RUNS
from pipeline.errors import UserMistake
from pipeline.experiment import differences
from pipeline.measuring.asking import Asked
from pipeline.measuring.config import Config
from pipeline.measuring.decoder import REFERENCE, Decoder
from pipeline.measuring.judged import Judged, judge
from pipeline.measuring.passes import Pass, PassFile
from pipeline.measuring.planning import Planned, measured, stations
from pipeline.measuring.recording import record_answers, record_run
from pipeline.measuring.report import report_of
from pipeline.measuring.session import Session, requested, session_of
from pipeline.measuring.turns import Turns, turns_of
from pipeline.runs import versions
from pipeline.runs.directory import ENGINE_LOG, replace_file
from pipeline.runs.directory import MANIFEST as RUN
from pipeline.runs.interrupts import call
from pipeline.runs.lock import InUse, RunLock

SCHEMA = 1
KEPT = "Interrupted: finished passes are kept; give --resume to continue."
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a measurement came to: its report, and which decoders failed."""

    folder: Path
    report: dict[str, Any]

    @property
    def failed(self) -> list[str]:
        """The decoders of which a pass failed."""
        return [one["decoder"] for one in self.report["decoders"] if one["status"] == "error"]


def measure(
    asked: Asked,
    planned: tuple[Planned, ...],
    folder: Path,
    *,
    resume: bool = False,
    retry_errors: bool = False,
    tell: Tell = lambda _line: None,
) -> Measured:
    """Measure all that is planned and not there yet; `tell` hears of every pass.

    Raises:
        UserMistake: the folder is in use, or holds another measurement, or one to be resumed.
        RunStopped: the disk failed, or it was interrupted; what is measured is kept.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = RunLock(folder)
    except InUse as owner:
        raise UserMistake(f"{folder} is in use {owner}, or choose another output_dir.") from None
    except OSError as error:
        raise UserMistake(f"Cannot write to {folder} ({error.strerror}).") from error
    try:
        turns = turns_of(measured(planned), asked)
        _begin(asked.config, planned, turns, folder, resume=resume or retry_errors)
        work = _Work(asked, planned, turns, PassFile.opened(folder), tell, retry_errors)
        call(work.measure(), KEPT)
        return Measured(folder, work.report(work.judged()))
    finally:
        lock.release()


@dataclass(slots=True)
class _Work:
    """What is measured, and what is there of it."""

    asked: Asked
    planned: tuple[Planned, ...]
    turns: Turns
    passes: PassFile
    tell: Tell
    retry_errors: bool

    async def measure(self) -> None:
        """Group by group: the models of one are loaded together, and its decoders take turns."""
        for group in self.turns.groups:
            await self._group(group)
            for decoder in group:
                await self._record(decoder)
            self.report()

    def missing(self, decoder: Decoder) -> list[int]:
        """The repeats of which there is no pass; none where one failed and is not tried again."""
        there = self.passes.of(decoder.name)
        failed = any(one["error"] is not None for one in there)
        if failed and not self.retry_errors:
            return []
        done = {one["repeat"] for one in there if one["error"] is None}
        return [one for one in range(self.asked.config.repeats) if one not in done]

    async def _group(self, group: tuple[Decoder, ...]) -> None:
        left = {one.name: self.missing(one) for one in group}
        async with contextlib.AsyncExitStack() as stack:
            sessions: dict[str, Session] = {}
            for station in stations(group):
                missing = tuple(one for one in station if left[one.name])
                sessions |= await self._opened(missing, left, stack) if missing else {}
            begun: set[str] = set()
            for repeat in range(self.asked.config.repeats):
                turn = repeat % len(group)
                for position, decoder in enumerate((*group[turn:], *group[:turn])):
                    name, place = decoder.name, (repeat, position)
                    if name in sessions and repeat in left[name]:
                        first = name not in begun
                        begun.add(name)
                        if not await self._pass(sessions[name], decoder, place, first=first):
                            del sessions[name]

    async def _opened(
        self,
        decoders: tuple[Decoder, ...],
        left: Mapping[str, list[int]],
        stack: contextlib.AsyncExitStack,
    ) -> dict[str, Session]:
        """The session of a station's decoders, by their names; none where it does not open."""
        log = self.passes.folder / ENGINE_LOG
        try:
            session = await stack.enter_async_context(session_of(decoders, self.asked, log))
        except Exception as error:  # noqa: BLE001 - libraries: each failure is a record
            for decoder in decoders:
                self._failed(decoder, (left[decoder.name][0], 0), error)
            return {}
        return dict.fromkeys((one.name for one in decoders), session)

    async def _pass(
        self, session: Session, decoder: Decoder, place: tuple[int, int], *, first: bool
    ) -> bool:
        """Make one pass and keep it; whether it went well."""
        try:
            done = await session.make(decoder, *place, first=first)
        except Exception as error:  # noqa: BLE001 - libraries: each failure is a record
            self._failed(decoder, place, error)
            session.forget()
            return False
        self.passes.add(done)
        seconds = sum(one.times.seconds for one in done.calls)
        tokens = sum(len(row) for one in done.calls for row in one.tokens)
        self.tell(
            f"{decoder.name}, pass {place[0] + 1} of {self.asked.config.repeats}: {tokens} tokens "
            f"in {seconds:.2f} s"
        )
        if first:
            await self._record(decoder)
        self.report()
        return True

    def _failed(self, decoder: Decoder, place: tuple[int, int], error: Exception) -> None:
        said = {"type": type(error).__name__, "message": str(error) or repr(error)}
        self.passes.add(
            Pass(
                decoder.name,
                *place,
                requested=requested(decoder, self.asked.config, self.asked.asks[:1]),
                error=said,
            )
        )
        self.tell(f"{decoder.name} failed: {said['type']}: {said['message']}")
        self.report()

    async def _record(self, decoder: Decoder) -> None:
        """The texts of the first pass that went well, as a run or as answers."""
        done = [one for one in self.passes.of(decoder.name) if one["error"] is None]
        if not done:
            return
        folder = self.passes.folder
        if self.asked.problems is not None:
            await record_run(self.asked, decoder, done[0], folder / RUNS / decoder.name)
        else:
            record_answers(self.asked, done[0], folder / ANSWERS / f"{decoder.name}.jsonl")

    def judged(self) -> dict[str, Judged]:
        """The runs of all decoders that have one, graded; the reference's is the first."""
        if self.asked.problems is None:
            return {}
        names = [one.name for one in measured(self.planned)]
        names.sort(key=lambda name: name != REFERENCE)
        runs = [self.passes.folder / RUNS / name for name in names]
        there = [run for run in runs if (run / RUN).exists()]
        return judge(there) if there else {}

    def report(self, judged: Mapping[str, Judged] | None = None) -> dict[str, Any]:
        """Write what is measured so far."""
        session = json.loads((self.passes.folder / MANIFEST).read_bytes())["sessions"][-1]
        report = report_of(self.asked, self.planned, self.passes, judged or {}, session)
        text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
        replace_file(self.passes.folder / REPORT, text.encode())
        return report


def _begin(
    config: Config, planned: tuple[Planned, ...], turns: Turns, folder: Path, *, resume: bool
) -> None:
    """Refuse a folder of another measurement; write down what this one is."""
    file = folder / MANIFEST
    sessions: list[Any] = []
    if file.exists():
        try:
            earlier = json.loads(file.read_bytes())
            changed = differences(earlier["identity"], config.identity)
            sessions = earlier["sessions"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserMistake(
                f"{file} is no measurement's ({error}); choose another output_dir."
            ) from error
        if changed:
            listed = "\n  ".join(changed)
            raise UserMistake(
                f"{folder} holds a measurement with other settings; choose another output_dir:"
                f"\n  {listed}"
            )
        if not resume:
            raise UserMistake(
                f"{folder} holds this measurement: give --resume to measure what is missing, or "
                "choose another output_dir."
            )
    elif any(one.name != ".lock" for one in folder.iterdir()):
        raise UserMistake(f"{folder} is not empty and holds no measurement; choose another.")
    manifest = {
        "schema": SCHEMA,
        "identity": config.identity,
        "repeats": config.repeats,
        "plan": [one.record for one in planned],
        "sessions": [
            *sessions,
            {
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
                "command": shlex.join(sys.argv),
                "versions": versions.versions(),
                "hardware": versions.hardware(),
                "turns": turns.record,
            },
        ],
    }
    replace_file(file, (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode())
