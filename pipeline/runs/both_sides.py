"""What two machines have made of one run, put together: each attempt once, and no line lost."""

import json
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from pipeline.runs import durable_lines


def behind_what_is_same(theirs: bytes, ours: bytes) -> bytes:
    """What of ours comes after the lines that both begin with."""
    lines = zip(theirs.splitlines(keepends=True), ours.splitlines(keepends=True), strict=False)
    return ours[sum(len(one) for one, _ in takewhile(lambda pair: pair[0] == pair[1], lines)) :]


def each_attempt_once(theirs: bytes, ours: bytes, withdrawn: list[bytes]) -> bytes:
    """Their lines, and those of ours whose attempts they do not have; the rest is withdrawn."""
    there = theirs.splitlines(keepends=True)
    keys, lines = {durable_lines.key_of(line) for line in there}, {*there}
    new: list[bytes] = []
    for line in ours.splitlines(keepends=True):
        key = durable_lines.key_of(line)
        if line in lines:
            continue
        (new if key is None or key not in keys else withdrawn).append(line)
    if there and new and not there[-1].endswith(b"\n"):
        there[-1] += b"\n"
    return b"".join([*there, *new])


def manifests(theirs: bytes, ours: bytes) -> bytes | None:
    """Their manifest with what only ours has of sessions and of what was asked for.

    None where they are of different settings. One that is damaged is left to whoever reads it.
    """
    try:
        there, here = json.loads(theirs), json.loads(ours)
        same = there["identity"] == here["identity"]
        both = there | {
            "slice": _slices(there["slice"], here["slice"]),
            "sessions": [
                *there["sessions"],
                *(one for one in here["sessions"] if one not in there["sessions"]),
            ],
        }
    except (ValueError, LookupError, TypeError):
        return theirs
    if not same:
        return None
    if both == there:
        return theirs
    return (json.dumps(both, indent=2, ensure_ascii=False) + "\n").encode()


def _slices(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """What both ask for; the next session brings its problems into their order."""
    ids = [*theirs["problem_ids"]]
    more = [place for place, one in enumerate(ours["problem_ids"]) if one not in ids]
    both = {
        "problem_ids": [*ids, *(ours["problem_ids"][place] for place in more)],
        "repeats": max(theirs["repeats"], ours["repeats"]),
    }
    if "places" in theirs:
        both["places"] = [*theirs["places"], *(ours["places"][place] for place in more)]
    return {**theirs, **both}
