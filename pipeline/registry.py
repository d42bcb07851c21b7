"""What there is of a kind by name: our own, and what plug-ins add, loaded when it is asked for."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pkgutil import resolve_name
from typing import Protocol, TypeVar

from pipeline.errors import EngineFailure, Misdeclared, RunStopped, UserMistake
from pipeline.near_match import near_match
from pipeline.plugins import WORDS, Group, added, find


class Declared(Protocol):
    """An entry that knows its name and whether it holds together."""

    @property
    def name(self) -> str:
        """What it is asked for by."""
        ...

    def check_declaration(self) -> None:
        """Raise an error that says why it cannot be used."""
        ...


Entry = TypeVar("Entry", bound=Declared)


def usable(entries: Mapping[str, Entry | UserMistake]) -> dict[str, Entry]:
    """Of loaded entries those that can be used."""
    return {name: one for name, one in entries.items() if not isinstance(one, UserMistake)}


def usable_entry(entries: Mapping[str, Entry | UserMistake], name: str) -> Entry:
    """The loaded entry of that name, which there is.

    Raises:
        UserMistake: it cannot be used.
    """
    known = entries[name]
    if isinstance(known, UserMistake):
        raise known
    return known


class Registry(Mapping[str, Entry]):
    """Entries by name, ours first. Looking one up raises `UserMistake` for a broken plug-in.

    An entry of ours stands here itself, or as the path to it, `module:NAME`.
    """

    def __init__(
        self, group: Group, kind: type[Entry], built_in: Mapping[str, Entry | str]
    ) -> None:
        self.built_in = dict(built_in)
        self._group: Group = group
        self._kind = kind

    def __iter__(self) -> Iterator[str]:
        """All names; nothing is loaded."""
        return iter((*self.built_in, *added(self._group, self.built_in)))

    def __len__(self) -> int:
        """How many names there are."""
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        """Whether the name is known; nothing is loaded."""
        return name in list(iter(self))

    def __getitem__(self, name: str) -> Entry:
        """The entry of that name.

        Raises:
            KeyError: there is none.
            UserMistake: a plug-in has it, and cannot be used.
        """
        plugin = find(self._group, name, self.built_in)
        if plugin is None:
            known = self.built_in[name]
            ours: Entry = resolve_name(known) if isinstance(known, str) else known
            return ours
        entry = plugin.load(self._kind)
        if entry.name != name:
            raise plugin.broken(f"its entry is named {entry.name!r}")
        with self.blamed(name):
            entry.check_declaration()
        return entry

    def entry(self, name: str, meant: str | None = None) -> Entry:
        """The entry that a user asked for by name; `meant` is a better guess than what is near.

        Raises:
            UserMistake: there is none, or a plug-in has it that cannot be used.
        """
        if name not in self:
            near = meant or near_match(name, self)
            hint = f" (did you mean {near}?)" if near is not None else ""
            raise UserMistake(
                f"There is no {WORDS[self._group]} {name!r}{hint}; there are: {', '.join(self)}."
            )
        return self[name]

    @contextmanager
    def blamed(self, name: str) -> Iterator[None]:
        """What code of a plug-in raises here is told in a sentence that names it.

        Raises:
            UserMistake: it failed. Errors that are meant for users or for records pass as they are.
        """
        plugin = find(self._group, name, self.built_in)
        try:
            yield
        except (UserMistake, RunStopped, EngineFailure):
            raise
        except (Exception, SystemExit) as error:  # the boundary to code of others
            if plugin is None:
                raise
            kind = "" if isinstance(error, Misdeclared) else f"{type(error).__name__}: "
            raise plugin.broken(f"{kind}{error}") from error

    def loaded(
        self, check: Callable[[Entry], None] = lambda _: None
    ) -> dict[str, Entry | UserMistake]:
        """Every entry, or why it cannot be used.

        `check` raises `Misdeclared` for an entry that cannot be used beside those before it.
        """
        return {name: self._entry_or_reason(name, check) for name in self}

    def usable(self) -> dict[str, Entry]:
        """Every entry that can be used."""
        return usable(self.loaded())

    def _entry_or_reason(self, name: str, check: Callable[[Entry], None]) -> Entry | UserMistake:
        try:
            entry = self[name]
            with self.blamed(name):
                check(entry)
        except UserMistake as broken:
            return broken
        return entry
