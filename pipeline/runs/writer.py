"""The run's side of its writing process: attempts go in, and are on disk once it says so."""

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple, cast

from pipeline import records
from pipeline.errors import RunStopped
from pipeline.runs import durable_lines
from pipeline.runs.directory import PROBLEMS, RunDirectory, cannot_write, problem_file
from pipeline.runs.recorded import Recorded

_STDIN = 0
GATHER_SECONDS = 0.002
"""How long lines are gathered for one write. It wakes the other process, often on this thread's
core, and would hold up the requests that the loop is about to make: they go to the engine first."""
LOOK_SECONDS = 5.0
QUIET_LOOKS = 24
"""Looks in a row without an answer that was due, after which the process is given up: two minutes,
and more where the loop itself was held up. A disk that takes longer for a megabyte hangs."""


class _Sent(NamedTuple):
    """A line on its way to the disk, and who waits for it."""

    file: Path
    arrived: asyncio.Future[None]


class RecordWriter(asyncio.SubprocessProtocol):
    """Sends attempts to the writing process; made by `record_writer`."""

    def __init__(self, run: Path, there: Recorded) -> None:
        self._run = run
        self._there = there
        self._sent: deque[_Sent] = deque()
        self._outbox = bytearray()
        self._answers = b""
        self._quiet_looks = 0
        self._finishing = False
        self._why_ended = self._stopped("has ended")
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to the process."""
        self._process = cast("asyncio.SubprocessTransport", transport)
        self._pipe = cast("asyncio.WriteTransport", self._process.get_pipe_transport(_STDIN))
        self.pid = self._process.get_pid()
        self._look_again()

    async def append(self, attempt: records.Attempt) -> None:
        """Put one attempt on the disk; it is there when this returns.

        One that was there when the run began has its place taken by this one.

        Raises:
            RunStopped: the disk is full or failing, or the process has ended or answers no more.
            UnreadableAttempt: its line could not be read back; nothing was written.
        """
        file, line = problem_file(self._run, attempt), records.encode(attempt)
        sent = _Sent(file, asyncio.get_running_loop().create_future())
        if self.ended.done():
            raise self._why_ended
        self._sent.append(sent)
        if not self._outbox:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._send)
        frame = durable_lines.Frame(file.name, line, attempt.key in self._there)
        self._outbox += durable_lines.pack(frame)
        await sent.arrived

    def finish(self) -> None:
        """Let the process end after what it was sent."""
        self._finishing = True
        self._outbox += durable_lines.END
        self._send()

    def _send(self) -> None:
        self._pipe.write(bytes(self._outbox))
        self._outbox.clear()

    def pipe_data_received(self, _fd: int, data: bytes | str) -> None:
        """Answers have come, in the order of what was sent."""
        assert isinstance(data, bytes)  # noqa: S101 - no text mode was asked for
        self._quiet_looks = 0
        *answers, self._answers = (self._answers + data).split(b"\n")
        # Of a process that was given up none is waited for any more.
        for answer in answers[: len(self._sent)]:
            sent = self._sent.popleft()
            if sent.arrived.done():
                continue
            if answer:
                sent.arrived.set_exception(cannot_write(sent.file, answer.decode()))
            else:
                sent.arrived.set_result(None)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The process has ended, and all it said has been heard."""
        self._end()

    def _look_again(self) -> None:
        asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Give a process up that is silent for too long: it was stopped, or the disk hangs."""
        if self.ended.done():
            return
        self._quiet_looks = self._quiet_looks + 1 if self._sent or self._finishing else 0
        if self._quiet_looks == QUIET_LOOKS:
            minutes = LOOK_SECONDS * QUIET_LOOKS / 60
            self._why_ended = self._stopped(
                f"(pid {self.pid}) did not respond for {minutes:.0f} minutes and was killed: it "
                "was stopped, or the disk hangs"
            )
            self._process.kill()
            self._fail_all()
        if self._quiet_looks < 2 * QUIET_LOOKS:
            self._look_again()
        else:
            # A process that hangs in the disk does not even end when it is killed.
            self._end()

    def _end(self) -> None:
        """Let nobody wait any longer."""
        if not self.ended.done():
            self.ended.set_result(None)
        self._fail_all()

    def _fail_all(self) -> None:
        while self._sent:
            sent = self._sent.popleft()
            if not sent.arrived.done():
                sent.arrived.set_exception(self._why_ended)

    def _stopped(self, how: str) -> RunStopped:
        return RunStopped(
            f"The process that writes the attempts of {self._run} {how}; "
            "run the same command again: finished attempts are kept."
        )


@contextlib.asynccontextmanager
async def record_writer(directory: RunDirectory, there: Recorded) -> AsyncIterator[RecordWriter]:
    """The writing process of an open run directory; at the end it has written all it was sent.

    `there` are the attempts that the directory holds: a new one of theirs replaces its line.
    The process shares the directory's lock: when the run is killed, nobody else can open the
    directory before the last line is whole. In a session of its own, Ctrl-C does not reach it.
    """
    loop = asyncio.get_running_loop()
    transport, writer = await loop.subprocess_exec(
        lambda: RecordWriter(directory.path, there),
        *(sys.executable, "-I", "-S", durable_lines.__file__, str(directory.path / PROBLEMS)),
        stderr=None,
        pass_fds=(directory.lock.handle,),
        start_new_session=True,
    )
    try:
        directory.share_lock(writer.pid)
        yield writer
    finally:
        writer.finish()
        await writer.ended
        transport.close()
