"""The files that hold the answers of one output: its own, and one for each shard beside it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.generating.answers import Record, opened, recorded_rows
from pipeline.generating.prompts import Prompt
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
            answers.rows.update(rows)
            answers.write(prompts)
    return rows, missing


def set_aside(output: Path, settings: Mapping[str, Any]) -> None:
    """Begin anew: what the shards of an output hold is kept in the folders beside their files.

    Raises:
        UserMistake: one is in use.
    """
    for file in [*shard_files(output)]:
        with opened(file, (), settings, overwrite=True):
            pass


def is_complete(output: Path, prompts: tuple[Prompt, ...], settings: Mapping[str, Any]) -> bool:
    """Whether the output and its shards have a row for every prompt, without holding any file."""
    rows = answered_elsewhere(output, Path(), prompts, settings)
    return all(one.prompt_id in rows for one in prompts)
