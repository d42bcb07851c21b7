"""Runs followed by a tracker while a command runs them; what it failed at is one warning."""

import contextlib
from collections.abc import Iterator, Sequence

from pipeline.cli.terminal import echo
from pipeline.engines.masking import Secrets
from pipeline.trackers import TrackerEntry
from pipeline.trackers.following import Followed, Following


@contextlib.contextmanager
def followed(entry: TrackerEntry | None, runs: Sequence[Followed]) -> Iterator[Following]:
    """Follow these runs until the block ends, whatever ends it; without an entry nothing is."""
    following = Following(entry, runs)
    try:
        yield following
    finally:
        warning = following.end()
        if warning is not None:
            echo(Secrets.of().masked(f"Warning: {warning}"), err=True)
