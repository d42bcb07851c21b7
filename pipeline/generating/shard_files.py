"""The files that hold the answers of one output: its own, and one for each shard beside it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pipeline.generating.answers import (
    AnswerFile,
    Record,
    growing_file,
    opened,
    recorded_rows,
    set_aside,
)
from pipeline.generating.prompts import Prompt
from pipeline.runs.directory import cannot_write
from pipeline.shards import Shard

SHARD_NAME = re.compile(r"(?P<output>.+)\.shard-[1-9][0-9]*-of-[1-9][0-9]*(?P<kind>\.jsonl?)")


def shard_file(output: Path, shard: Shard | None) -> Path:
    """Where a shard's answers go: `answers.shard-2-of-8.jsonl`; those of no shard to the output."""
    if shard is None:
        return output
    return output.with_name(f"{output.stem}.shard-{shard.number}-of-{shard.count}{output.suffix}")


def shard_files(output: Path) -> Iterator[Path]:
    """The files of an output's shards, of however many each is one; not all need to be written."""
    if not output.parent.is_dir():
        return
    names = {one.name.removesuffix(".run") for one in output.parent.iterdir()}
    for name in sorted(names):
        named = SHARD_NAME.fullmatch(name)
        if named is not None and named["output"] + named["kind"] == output.name:
            yield output.with_name(name)


def answered_elsewhere(
    output: Path, own: Path, prompts: Iterable[Prompt], settings: Mapping[str, Any]
) -> dict[str, Record]:
    """What the output and its shards hold beside a file of its own, by the prompts' ids.

    They are only read, also while others write them.

    Raises:
        UserMistake: one has other settings, or answers to other prompts.
    """
    rows: dict[str, Record] = {}
    for file in (output, *shard_files(output)):
        if file != own:
            rows = joined(rows, recorded_rows(file, prompts, settings))
    return rows


def joined(first: Mapping[str, Record], second: Mapping[str, Record]) -> dict[str, Record]:
    """The rows of both; an answer comes before a failure."""
    rows = dict(first)
    for prompt_id, row in second.items():
        if prompt_id not in rows or (rows[prompt_id]["error"] and not row["error"]):
            rows[prompt_id] = row
    return rows


def merge(
    output: Path, prompts: tuple[Prompt, ...], settings: Mapping[str, Any]
) -> tuple[dict[str, Record], list[str]]:
    """Write the output with the rows of its shards, if no prompt is without one.

    The result is its rows, and the ids of the prompts without one: then nothing is written.

    Raises:
        UserMistake: it is in use, or a file has other settings or answers to other prompts.
        RunStopped: it cannot be written.
    """
    with opened(output, prompts, settings, overwrite=False) as answers:
        elsewhere = answered_elsewhere(output, output, prompts, settings)
        rows = joined(answers.rows, elsewhere)
        missing = [one.prompt_id for one in prompts if one.prompt_id not in rows]
        if not missing:
            answers.begin()
            answers.rows.update(rows)
            answers.write(prompts)
    return rows, missing


@contextmanager
def shards_held(output: Path, settings: Mapping[str, Any], own: Path) -> Iterator[list[AnswerFile]]:
    """The files of an output's shards but for one's own, to be overwritten and held by nobody else.

    Raises:
        UserMistake: one is in use.
    """
    with ExitStack() as held:
        yield [
            held.enter_context(opened(file, (), settings, overwrite=True))
            for file in [*shard_files(output)]
            if file != own
        ]


@contextmanager
def replaced(output: Path, settings: Mapping[str, Any]) -> Iterator[None]:
    """Begin anew in the block: what an output and its shards hold is set aside.

    It is put back if the block ends without a row in any of them.

    Raises:
        UserMistake: one is in use.
        RunStopped: one cannot be set aside.
    """
    moved: dict[Path, Path] = {}
    try:
        with ExitStack() as held:
            held.enter_context(opened(output, (), settings, overwrite=True))
            shards = held.enter_context(shards_held(output, settings, output))
            for file in (output, *(one.path for one in shards)):
                try:
                    moved |= set_aside(file)
                except OSError as error:
                    raise cannot_write(file, error.strerror) from error
        yield
    finally:
        files = (output, *shard_files(output))
        if not any(one.exists() for file in files for one in (file, growing_file(file))):
            for file, kept in moved.items():
                kept.replace(file)


def is_complete(output: Path, prompts: tuple[Prompt, ...], settings: Mapping[str, Any]) -> bool:
    """Whether the output and its shards have a row for every prompt, without holding any file."""
    rows = answered_elsewhere(output, Path(), prompts, settings)
    return all(one.prompt_id in rows for one in prompts)
