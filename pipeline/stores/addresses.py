"""Run directories that are named by an address, `s3://bucket/runs/x`, and their folders here.

Every address has two folders of this machine: the staging folder, in which a run is made and from
which it is uploaded, and a folder for copies that commands only read. The address can be read off
both, so whatever holds such a path knows the store behind it, and runs that lie beside each other
in the store lie beside each other here.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import UserMistake

STAGING_VARIABLE = "SPECLRM_STAGING_DIR"
STAGING, COPIES = "staging", "copies"
ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.DOTALL)
LOCAL_SCHEME = "file"
SCHEMES = {LOCAL_SCHEME, "s3", "s3a", "gs", "gcs"}
SLIP = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//|/)(.*)", re.DOTALL)
"""An address with capitals in its scheme, or with a slash too few."""


def is_address(named: str) -> bool:
    """Whether it names no folder of this machine but a place in a store.

    Raises:
        UserMistake: it is an address with a slip of the pen, which would become a folder.
    """
    if ADDRESS.fullmatch(named):
        return True
    slip = SLIP.fullmatch(named)
    if slip and (slip[2] == "//" or slip[1].lower() in SCHEMES):
        scheme = slip[1].lower()
        raise UserMistake(f"{named} is no address; write it as {_address(scheme, slip[3])}.")
    return False


def split_address(address: str) -> tuple[str, str]:
    """The scheme of an address, and the place that it names there, without slashes around it.

    Raises:
        UserMistake: it names no place.
    """
    found = ADDRESS.fullmatch(address)
    scheme, place = (found[1], found[2].strip("/")) if found else ("", "")
    if found and scheme == LOCAL_SCHEME and place and not found[2].startswith("/"):
        raise UserMistake(
            f"{address} names a machine, {place.partition('/')[0]}, and not a folder of this one; "
            f"write a folder as {_address(scheme, place)}."
        )
    if not place or any(part in {"", ".", ".."} for part in place.split("/")):
        raise UserMistake(
            f"{address} names no run directory; write it as s3://BUCKET/FOLDER/RUN, with no empty "
            "part, no `.` and no `..`."
        )
    return scheme, place


def root() -> Path:
    """Where the folders of all addresses lie: SPECLRM_STAGING_DIR, or else the user's state."""
    chosen = os.environ.get(STAGING_VARIABLE)
    if chosen:
        return Path(chosen).resolve()
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return (Path(state) / "speclrm").resolve()


@contextlib.contextmanager
def root_kept() -> Iterator[None]:
    """Let the block, and the processes that it starts, have another root by SPECLRM_STAGING_DIR."""
    before = os.environ.get(STAGING_VARIABLE)
    try:
        yield
    finally:
        os.environ.pop(STAGING_VARIABLE, None)
        if before is not None:
            os.environ[STAGING_VARIABLE] = before


def folder_of(address: str, endpoint: str, kind: str) -> Path:
    """The folder of an address; one `endpoint`, where it is not the scheme's own, is no other."""
    scheme, place = split_address(address)
    return root() / kind / (f"{scheme}@{endpoint}" if endpoint else scheme) / place


def address_of(folder: Path) -> str | None:
    """The address whose folder this is; None for any other."""
    told = as_addresses(str(folder.absolute()))
    return told if is_address(told) else None


def is_staged(folder: Path) -> bool:
    """Whether it is the folder of an address in which a run is made."""
    return folder.absolute().is_relative_to(root() / STAGING)


def as_addresses(text: str) -> str:
    """A text with addresses in the place of their folders; logs are in the folders alone."""

    def address(found: re.Match[str]) -> str:
        return _address(found[1], "")

    kinds = f"(?:{STAGING}|{COPIES})"
    folder = rf"{re.escape(str(root()))}/{kinds}/([a-z0-9+.-]+)(?:@[^/\s]*)?/"
    return re.sub(rf"{folder}(?!\S*\.log\b)", address, text)


def _address(scheme: str, place: str) -> str:
    return f"{scheme}://{'/' if scheme == LOCAL_SCHEME else ''}{place.lstrip('/')}"
