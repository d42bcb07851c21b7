"""Which of several replicas gets a request: the one that holds its prefix, unless it is overloaded.

Rendezvous hashing (Thaler and Ravishankar 1996) with bounded loads (Mirrokni, Thorup and
Zadimoghaddam, arXiv 1608.01350): a name has the same first choice as long as that replica is there,
and when one goes only its own names move.
"""

import hashlib
import math
from collections.abc import Mapping

MOST_OF_MEAN = 1.25
"""No replica gets a request while it has so many times the mean number in flight."""


def preferred(name: str, replicas: Mapping[str, int]) -> list[str]:
    """The replicas in the order in which that name would choose them."""
    return sorted(replicas, key=lambda replica: _weight(name, replica), reverse=True)


def chosen(name: str, loads: Mapping[str, int], held_by: str | None = None) -> str:
    """The replica for a request, of those that can take one, by how many each has in flight.

    The one that served the name last has its prefix, and is asked first.
    """
    bound = math.ceil(MOST_OF_MEAN * (sum(loads.values()) + 1) / len(loads))
    order = preferred(name, loads)
    if held_by is not None and held_by in loads:
        order = [held_by, *order]
    return next(replica for replica in order if loads[replica] < bound)


def _weight(name: str, replica: str) -> bytes:
    return hashlib.blake2b(f"{replica}\0{name}".encode(), digest_size=8).digest()
