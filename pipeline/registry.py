"""What there is of a kind by name: our own, and what plug-ins add, loaded when it is asked for."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from pipeline.errors import UserMistake
from pipeline.plugins import Group, added, find


class Named(Protocol):
    """An entry that knows its name."""

    @property
    def name(self) -> str:
        """What it is asked for by."""
        ...


Entry = TypeVar("Entry", bound=Named)


class Registry(Mapping[str, Entry]):
    """Entries by name, ours first. Looking one up raises `UserMistake` for a broken plug-in."""

    def __init__(self, group: Group, kind: type[Entry], built_in: Iterable[Entry]) -> None:
        self.built_in = {entry.name: entry for entry in built_in}
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
            return self.built_in[name]
        entry = plugin.load(self._kind)
        if entry.name != name:
            raise plugin.broken(f"its entry is named {entry.name!r}")
        return entry

    def loaded(self) -> dict[str, Entry | UserMistake]:
        """Every entry, or why it cannot be used."""
        return {name: self._entry_or_reason(name) for name in self}

    def usable(self) -> dict[str, Entry]:
        """Every entry that can be used."""
        return {
            name: one for name, one in self.loaded().items() if not isinstance(one, UserMistake)
        }

    def _entry_or_reason(self, name: str) -> Entry | UserMistake:
        try:
            return self[name]
        except UserMistake as broken:
            return broken
