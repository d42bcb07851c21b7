"""Plug-ins: what other installed packages add by entry points, known by name and loaded on use.

A package names what it adds in the groups `speclrm.reasoners`, `speclrm.engines`, `speclrm.votes`,
`speclrm.datasets`, `speclrm.prompts`, `speclrm.trackers`, `speclrm.decoders` and `speclrm.metrics`.
Whoever holds the
built-in things of a group asks here for the others. Names come from the packages' metadata, so that
nothing is imported to list them.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, TypeVar

from pipeline.errors import UserMistake

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Group = Literal[
    "reasoners", "engines", "votes", "datasets", "prompts", "trackers", "decoders", "metrics"
]
WORDS: dict[Group, str] = {
    "reasoners": "reasoner",
    "engines": "engine",
    "votes": "vote rule",
    "datasets": "dataset",
    "prompts": "prompt set",
    "trackers": "tracker",
    "decoders": "decoder",
    "metrics": "metric",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")  # it becomes part of file names

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Plugin:
    """One thing that a package adds; nothing of it is imported before `load`."""

    group: Group
    name: str
    package: str
    version: str
    entry_point: "EntryPoint"

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"{WORDS[self.group]} {self.name!r} of the package {self.package} {self.version}"

    def load(self, kind: type[Kind]) -> Kind:
        """Import what the entry point names.

        Raises:
            UserMistake: it cannot be imported, or is no `kind`.
        """
        try:
            found = self.entry_point.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the boundary to code of others, which may call sys.exit
            raise self.broken(f"{type(error).__name__}: {error}") from error
        if not isinstance(found, kind):
            raise self.broken(f"{self.entry_point.value} is no {kind.__name__}")
        return found

    def folder(self) -> Path:
        """The folder of the package that the entry point names.

        Raises:
            UserMistake: it cannot be imported, or has no folder.
        """
        module = self.load(ModuleType)
        for folder in getattr(module, "__path__", ()):
            if Path(folder).is_dir():
                return Path(folder)
        raise self.broken(f"{self.entry_point.value} is no package with a folder of its own")

    def broken(self, reason: str) -> UserMistake:
        """The error for a plug-in that cannot be used."""
        return UserMistake(
            f"The {self.title} cannot be used ({reason}); fix, update or uninstall {self.package}."
        )


def added(group: Group, built_in: Collection[str]) -> tuple[str, ...]:
    """The names that plug-ins add to the built-in ones of a group, sorted."""
    return tuple(sorted({each.name for each in offered() if each.group == group} - {*built_in}))


def find(group: Group, name: str, built_in: Collection[str]) -> Plugin | None:
    """The plug-in of that name; None where there is none, as for what is built in.

    Raises:
        UserMistake: more than one package has the name, or it is built in too, or it is no name.
    """
    rivals = [each for each in offered() if (each.group, each.name) == (group, name)]
    if not rivals:
        return None
    owners = [f"the package {each.package} {each.version}" for each in rivals]
    if name in built_in:
        owners.insert(0, "SpecLRM itself")
    if len(owners) > 1:
        packages = " or ".join(dict.fromkeys(each.package for each in rivals))
        raise UserMistake(
            f"The {WORDS[group]} {name!r} is offered by {' and by '.join(owners)}, and only one "
            f"can have the name; uninstall {packages}."
        )
    if _NAME.fullmatch(name) is None:
        raise rivals[0].broken("names are made of letters, digits, dashes and dots")
    return rivals[0]


def packages(used: Iterable[tuple[Group, str]]) -> dict[str, str]:
    """The versions of the packages that add any of these (group, name), by package, sorted."""
    wanted = set(used)
    return {each.package: each.version for each in offered() if (each.group, each.name) in wanted}


@cache
def offered() -> tuple[Plugin, ...]:
    """All that installed packages offer, by package, group and name; looked up once a process."""
    # A slow import that `--help` must not pay for, though it imports modules that import this one.
    from importlib.metadata import entry_points  # noqa: PLC0415

    every = entry_points()
    found = [
        Plugin(group, each.name, each.dist.name, each.dist.version, each)
        for group in WORDS
        for each in every.select(group=f"speclrm.{group}")
        if each.dist is not None
    ]
    return tuple(sorted(found, key=lambda each: (each.package, each.group, each.name)))
