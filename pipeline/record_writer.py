"""The run's side of its writing process: attempts go in, and are on the disk when it says so."""

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple, cast

from pipeline import appending, records
from pipeline.errors import RunStopped
from pipeline.run_directory import (
    PROBLEMS,
    Recorded,
    RunDirectory,
    cannot_write,
    problem_file,
)

_STDIN = 0
GATHER_SECONDS = 0.002
"""How long lines are gathered for one write. It wakes the other process, often on this thread's
core, and would hold up the requests that the loop is about to make: they go to the engine first."""


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
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to the process."""
        process = cast("asyncio.SubprocessTransport", transport)
        self._pipe = cast("asyncio.WriteTransport", process.get_pipe_transport(_STDIN))
        self.pid = process.get_pid()

    async def append(self, attempt: records.Attempt) -> None:
        """Put one attempt on the disk; it is there when this returns.

        One that was there when the run began has its place taken by this one.

        Raises:
            RunStopped: the disk is full or failing, or the process has ended.
            UnreadableAttempt: its line could not be read back; nothing was written.
        """
        file, line = problem_file(self._run, attempt), records.encode(attempt)
        sent = _Sent(file, asyncio.get_running_loop().create_future())
        if self.ended.done():
            raise self._gone()
        self._sent.append(sent)
        if not self._outbox:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._send)
        frame = appending.Frame(file.name, line, attempt.key in self._there)
        self._outbox += appending.pack(frame)
        await sent.arrived

    def finish(self) -> None:
        """Let the process end after what it was sent."""
        self._outbox += appending.END
        self._send()

    def _send(self) -> None:
        self._pipe.write(bytes(self._outbox))
        self._outbox.clear()

    def pipe_data_received(self, _fd: int, data: bytes | str) -> None:
        """Answers have come, in the order of what was sent."""
        assert isinstance(data, bytes)  # noqa: S101 - no text mode was asked for
        *answers, self._answers = (self._answers + data).split(b"\n")
        for answer in answers:
            sent = self._sent.popleft()
            if sent.arrived.done():
                continue
            if answer:
                sent.arrived.set_exception(cannot_write(sent.file, answer.decode()))
            else:
                sent.arrived.set_result(None)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The process has ended, and all it said has been heard."""
        self.ended.set_result(None)
        while self._sent:
            sent = self._sent.popleft()
            if not sent.arrived.done():
                sent.arrived.set_exception(self._gone())

    def _gone(self) -> RunStopped:
        return RunStopped(
            f"The process that writes the attempts of {self._run} has ended; "
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
        *(sys.executable, "-I", "-S", appending.__file__, str(directory.path / PROBLEMS)),
        stderr=None,
        pass_fds=(directory.lock_handle,),
        start_new_session=True,
    )
    try:
        yield writer
    finally:
        writer.finish()
        await writer.ended
        transport.close()
