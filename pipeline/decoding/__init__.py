"""Decoding: sequences that share a forward. It knows torch and nothing of the project.

`iterative_generate` is loaded when it is first used: how branches lie is asked for by the command
line, which must not wait for torch.
"""

TYPE_CHECKING = False

if TYPE_CHECKING:
    from pipeline.decoding.iterative import iterative_generate

__all__ = ["iterative_generate"]


def __getattr__(name: str) -> object:
    if name != "iterative_generate":
        raise AttributeError(f"module 'pipeline.decoding' has no attribute {name!r}")
    from pipeline.decoding.iterative import iterative_generate  # noqa: PLC0415 - takes seconds

    return iterative_generate
