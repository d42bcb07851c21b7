"""What the recipes of the pocket set may be told, looked at before anything is trained."""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch


def whole(least: int, most: int = 2**63 - 1) -> Callable[[str], int]:
    """A whole number from `least` to `most`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"{text[:100]!r} is no whole number from {least} to {most}"
            )
        return value

    return read


def multiple(of: int) -> Callable[[str], int]:
    """A whole number of times `of`, once at least."""

    def read(text: str) -> int:
        value = whole(of)(text)
        if value % of:
            raise argparse.ArgumentTypeError(f"{value} is no multiple of {of}")
        return value

    return read


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    # Also where it is not a number.
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text[:100]!r} is no number from 0 to 1")
    return value


def device(text: str) -> str:
    """A device that is there and keeps numbers."""
    try:
        torch.zeros(1, device=text).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise argparse.ArgumentTypeError(f"there is no device {text[:100]!r} here") from error
    return text


def file(text: str) -> Path:
    """A file that is there."""
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text} is no file")
    return Path(text)


def new_file(text: str) -> Path:
    """A file that can be written: its folder is there."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"{text} is a folder, or is to lie in one that is not there"
        )
    return path


def folder(text: str) -> Path:
    """A folder that is there."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return Path(text)


def made_folder(parser: argparse.ArgumentParser, path: Path) -> None:
    """Make a folder that may be there already; ends the program where that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"the folder {path} cannot be made ({error.strerror})")
