"""The command line as a user meets it, run in this process: exit code and text."""

import contextlib
import io
import shlex
import sys
from dataclasses import dataclass
from unittest import mock

from pipeline.cli import main


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """Standard error on one line, so that a test need not know where lines break."""
        return " ".join(self.err.split())


def speclrm(command: str) -> Said:
    """Run `speclrm COMMAND` through its console entry; arguments are split as a shell does."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        mock.patch.object(sys, "argv", ["speclrm", *shlex.split(command)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    return Said(code, out.getvalue(), err.getvalue())
