"""What a tracker is: the three calls that follow one run, and where its class lies."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pkgutil import resolve_name
from typing import Any, Protocol

from pipeline.errors import Misdeclared

ID_DIGITS = 16


class Tracker(Protocol):
    """Follows one run. All calls come from one thread, which is not that of the run's attempts.

    What a call raises becomes a warning at the end; a call that does not return is left alone.
    """

    def begin(self, settings: Mapping[str, Any], name: str) -> None:
        """Open the run, or go on with it: `run_id` is the same when a run is resumed.

        `settings` are the run's identity as `run.json` has it, without secrets; `name` is that of
        the run's directory.
        """
        ...

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Take metrics; `step` is the number of attempts that are recorded."""
        ...

    def finish(self) -> None:
        """Close the run; it may be begun again later."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerEntry:
    """A tracker by its name.

    `path` (`module:Class`) is that of its class, which is made without arguments for every run.
    `package` is what must be there to import, None for nothing; `install` how to get it.
    """

    name: str
    path: str
    package: str | None = None
    install: str = ""

    def check_declaration(self) -> None:
        """Raise `Misdeclared` for a path or an advice that is missing."""
        if ":" not in self.path:
            raise Misdeclared(f"its path {self.path!r} is not module:Class")
        if self.package is not None and not self.install:
            raise Misdeclared(f"it does not say how to install {self.package}")

    @property
    def installed(self) -> bool:
        """Whether the package that it needs is there; nothing is imported."""
        return self.package is None or find_spec(self.package) is not None

    def load(self) -> Callable[[], Tracker]:
        """The class, whose objects follow one run each; importing its package may take seconds."""
        kind: Callable[[], Tracker] = resolve_name(self.path)
        return kind


def run_id(settings: Mapping[str, Any], name: str) -> str:
    """What a tracker calls the run in a directory of that name: the same whenever it is resumed."""
    whole = json.dumps([name, settings], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()[:ID_DIGITS]
