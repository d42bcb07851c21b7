"""Seeds and choice orders as hashes of names. Nothing else in the project is random."""

import hashlib
import json

SEED_BITS = 31  # the largest seed that every engine and every torch generator accepts as signed


def _digest(*names: str | int) -> bytes:
    # JSON keeps ("a", "bc") and ("ab", "c") apart, and 1 apart from "1".
    text = json.dumps(names, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).digest()


def request_seed(  # noqa: PLR0917 - the order is that of the names' nesting
    seed: int, dataset: str, problem_id: str, repeat_id: int, track: str, step: int, purpose: str
) -> int:
    """The sampling seed of one request: 0 <= seed < 2**31, the same for every reasoner.

    `track` is the track's id and `step` counts from 0 within it; `purpose` says what the request
    is for ("plain", "draft", "rewrite", "score", "selection", ...). Two runs that ask for
    the same thing get the same seed, so they can be compared in pairs.
    """
    digest = _digest("request", seed, dataset, problem_id, repeat_id, track, step, purpose)
    return int.from_bytes(digest[:4], "big") >> (32 - SEED_BITS)


def choice_order(record_id: str, seed: int, n: int) -> tuple[int, ...]:
    """The order in which the `n` choices of a record are shown: shown position -> stored index.

    A pure function, so that a record shows the same order in every run with this seed whatever
    else is loaded; over many records every order is equally likely.
    """
    keys = [_digest("choice", seed, record_id, index) for index in range(n)]
    return tuple(sorted(range(n), key=keys.__getitem__))
