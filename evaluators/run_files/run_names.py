"""What runs are called where several are shown: by their folders, told apart by parents."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

PART = re.compile(r"\.shard-\d+-of-\d+|(?:(?!\.shard-\d+-of-\d+)[^-/])+")
"""What a name is made of: words between dashes, folders where parents tell runs apart, and which
shard it is."""
HASH = re.compile(r"[0-9a-f]{8}")
"""How a name ends that `speclrm run` gives by itself."""


class NoSuchBaseline(ValueError):  # noqa: N818 - named for what it is
    """The run that others should be relative to is not among the runs, or is one of several."""


def distinct_names(runs: Sequence[Path]) -> list[str]:
    """A name for each run: its folder's, with as many parents before it as tell it from others.

    A run that is named twice has one name.
    """
    folders = [run.resolve() for run in runs]
    names = [folder.name for folder in folders]
    for parents in range(1, max((len(folder.parts) for folder in folders), default=0)):
        holders = Counter(name for name, _ in set(zip(names, folders, strict=True)))
        names = [
            "/".join(folder.parts[-parents - 1 :]) if holders[name] > 1 else name
            for name, folder in zip(names, folders, strict=True)
        ]
    return names


def shortened_names(names: Sequence[str]) -> list[str]:
    """The names without the parts that all of them have, wherever a part stands.

    The hash of the settings at a name's end goes, too, where all names have one and are told apart
    by the rest. A name that would be empty or no longer its own stays whole, and so does a single
    one.
    """
    parts = [PART.findall(name) for name in names]
    if len(set(names)) > 1:
        shared = set.intersection(*map(set, parts))
        parts = [[part for part in of if part not in shared] for of in parts]
        if all(of and HASH.fullmatch(of[-1]) for of in parts):
            bare = [of[:-1] for of in parts]
            parts = bare if len(set(map(tuple, bare))) == len(set(names)) else parts
    short = ["-".join(of).replace("-.shard-", ".shard-").removeprefix(".") for of in parts]
    owners = Counter(one for one, _ in set(zip(short, names, strict=True)))
    return [
        one if one and owners[one] == 1 and one not in set(names) - {name} else name
        for one, name in zip(short, names, strict=True)
    ]


def baseline_name(runs: Sequence[Path], wanted: str) -> str:
    """The name of the run that `wanted` means: its path, its name here, or its folder's name.

    Raises:
        NoSuchBaseline: it means none of the runs, or more than one.
    """
    names = distinct_names(runs)
    by_path = [
        n for run, n in zip(runs, names, strict=True) if run.resolve() == Path(wanted).resolve()
    ]
    if by_path:
        return by_path[0]
    found = {n for run, n in zip(runs, names, strict=True) if wanted in {n, run.resolve().name}}
    if len(found) == 1:
        return found.pop()
    if found:
        raise NoSuchBaseline(
            f"The baseline {wanted!r} is the name of several runs ({', '.join(sorted(found))}); "
            "give the path of one of them."
        )
    raise NoSuchBaseline(
        f"The baseline {wanted!r} is not one of the runs ({', '.join(sorted(set(names)))})."
    )
