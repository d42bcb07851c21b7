"""Standard streams that are usable whatever the caller did with them."""

import io
import os
import sys

STREAMS = (0, 1, 2)
STDERR = 2


class _Unfailing(io.FileIO):
    """Standard error on a full disk: what is said there is lost, and no error of the program's."""

    def write(self, said, /):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - FileIO's
        """Write, or pass over; a pipe that nobody reads any more still raises."""
        try:
            return super().write(said)
        except BrokenPipeError:
            raise
        except OSError:
            return len(said)


def repair_streams() -> None:
    """Open the closed ones to nowhere, and let standard error lose what cannot be written.

    A closed one would be the number of the next file that is opened, and what is said would go
    into that file.
    """
    for number in STREAMS:
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is given, and the lower ones are open.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(_Unfailing(STDERR, "w", closefd=False)),
        encoding=sys.stderr.encoding if sys.stderr is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )
