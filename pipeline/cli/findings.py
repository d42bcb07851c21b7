"""What one of the doctor's checks found."""

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "FAILURE"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report; `advice` says what to do where something is."""

    state: State
    what: str
    found: str
    advice: str = ""
