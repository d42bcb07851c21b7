"""Runs of every reasoner on a scripted pair through the command line, for tests of whole runs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import records
from pipeline.engines.declaration import prefix_of
from pipeline.reasoners import entry
from pipeline.runs.directory import attempt_files, read_attempts
from speclrm_testing.commands import Said, speclrm

Rule = Mapping[str, object]
"""A rule of a script, as in docs/engines.md."""
PROBLEMS = 6
HANGS = 120.0
"""Seconds after which a command that should have ended by itself hangs."""
EVERY = list(range(1, 5000))
CHAIN = "first\n\nsecond\n\n</think>\n\n\\boxed{{{}}}"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with problems, a target and a draft whose last step is wrong.

    `options` are given to every command; `rules` are those of the scripts of models, by role, that
    are to say something else.
    """

    folder: Path
    options: str = ""
    rules: Mapping[str, Sequence[Rule]] = field(default_factory=dict)

    @classmethod
    def made(
        cls, folder: Path, options: str = "", rules: Mapping[str, Sequence[Rule]] | None = None
    ) -> "Place":
        """Six sums; the target scores a wrong box 1 and everything else 9."""
        rows = [{"id": str(n), "problem": f"{n}+1?", "answer": str(n + 1)} for n in range(PROBLEMS)]
        lines = "".join(json.dumps(row | {"kind": "integer"}) + "\n" for row in rows)
        (folder / "sums.jsonl").write_text(lines)
        place = cls(folder, options, rules or {})
        place.script("target")
        place.script("draft")
        return place

    def script(self, name: str, **more: object) -> None:
        """What the model of that role says from now on, with faults, latency or a context."""
        numbers = range(PROBLEMS)
        right = name == "target"
        rules = [{"when": f"{n}+1?", "text": CHAIN.format(n + 1 if right else 99)} for n in numbers]
        judged = [{"when": "\\boxed{99}", "score": 1}], [{"when": "my score", "score": 9}]
        said = self.rules.get(name, [*judged[0], *rules, *judged[1]])
        body = {"rules": said} | more
        (self.folder / f"{name}.json").write_text(json.dumps(body))

    def run(self, reasoner: str) -> Path:
        """The run directory of a reasoner."""
        return self.folder / reasoner

    def command(self, reasoner: str, options: str = "") -> str:
        """The command that runs it."""
        roles = entry(reasoner).models
        scripts = [f"--{prefix_of(role)}script {self.folder / role}.json" for role in roles]
        return (
            f"run {reasoner} --data-file {self.folder / 'sums.jsonl'} --engine scripted "
            f"{' '.join(scripts)} --output-dir {self.run(reasoner)} "
            f"{self.options} {options}"
        )

    def speclrm(self, reasoner: str, options: str = "") -> Said:
        """Run it in this process."""
        return speclrm(self.command(reasoner, options))

    def process(self, reasoner: str, options: str = "") -> "subprocess.Popen[str]":
        """Run it in a process of its own."""
        return process_of(self.command(reasoner, options))

    def struck(self, reasoner: str, blow: signal.Signals, options: str = "") -> Said:
        """Run it in a process, send it a signal once an attempt is recorded, and wait."""
        process = self.process(reasoner, options)
        try:
            while process.poll() is None and not self.any(reasoner):
                time.sleep(0.01)
            process.send_signal(blow)
        except BaseException:
            process.kill()
            raise
        return ended(process)

    def any(self, reasoner: str) -> bool:
        """Whether the run has a line yet."""
        return any(file.stat().st_size for file in attempt_files(self.run(reasoner)))

    def attempts(self, reasoner: str) -> list[records.Attempt]:
        """All attempts on the disk."""
        return list(read_attempts(self.run(reasoner)))

    def keys(self, reasoner: str) -> Counter[tuple[str, int]]:
        """How often each attempt stands there."""
        return Counter(attempt.key for attempt in self.attempts(reasoner))

    def contents(self, reasoner: str) -> dict[str, bytes]:
        """The run's files, to see that a command changed none."""
        files = [self.run(reasoner) / "run.json", *attempt_files(self.run(reasoner))]
        return {file.name: file.read_bytes() for file in files}


def process_of(command: str) -> "subprocess.Popen[str]":
    """`speclrm COMMAND` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What can be imported here can be imported there, plug-ins too.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def once(repeats: int = 1) -> Counter[tuple[str, int]]:
    """Every attempt of a place, one time."""
    return Counter((str(n), repeat) for n in range(PROBLEMS) for repeat in range(repeats))


def ended(process: "subprocess.Popen[str]") -> Said:
    """Wait for a process; it is killed where waiting ends before it does."""
    try:
        out, err = process.communicate(timeout=HANGS)
    finally:
        process.kill()
    return Said(process.returncode, out, err)


def statuses(attempts: Sequence[records.Attempt]) -> set[str]:
    """The statuses that occur."""
    return {attempt.status for attempt in attempts}
