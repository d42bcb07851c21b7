"""Rows from the Hugging Face hub, always at the one commit that was recorded."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from evaluators.run_files.whole_file import whole_file
from pipeline.errors import UserMistake
from pipeline.problems.data_files import Row
from pipeline.problems.manifests import HubSource

RESOLVE_TIMEOUT = 10.0  # seconds; the hub's answer to "which commit is this" is one small page


@dataclass(frozen=True, slots=True)
class HubRows:
    """The rows of one split at the commit `revision`."""

    rows: tuple[Row, ...]
    revision: str
    source: str


@dataclass(frozen=True, slots=True)
class _Reference:
    """What the first load found: kept to from then on."""

    hub: str
    revision: str
    fingerprint: str


def hub_rows(dataset: str, hub: HubSource, refs_dir: Path) -> HubRows:
    """Load the rows through Hugging Face `datasets`, from its cache when they are there.

    The commit is the pinned one, else the one recorded in `refs_dir`, else the newest. Raises
    `UserMistake` when the hub refuses, is out of reach, or has no such commit, and when
    `datasets` is not installed.
    """
    recorded = _read_reference(dataset, refs_dir)
    known = hub.revision or (recorded.revision if recorded else None)
    try:
        revision, rows = _load(hub, known)
    except Exception as error:  # the boundary to three libraries and a network
        raise _mistake(dataset, hub, error) from error
    where = f"{hub.id} row"
    return HubRows(
        rows=tuple(Row(f"{where} {number}", values) for number, values in enumerate(rows)),
        revision=revision,
        source=f"hub {hub.id} {hub.split}" + (f" {hub.config}" if hub.config else ""),
    )


def check_fingerprint(dataset: str, loaded: HubRows, fingerprint: str, refs_dir: Path) -> bool:
    """Record the fingerprint of a commit at its first load; hold later loads to it.

    Whether this is the first load of that commit.

    Raises `UserMistake` when the same commit shows other rows, and when `refs_dir` cannot be
    written.
    """
    path = _reference_path(dataset, refs_dir)
    new = _Reference(loaded.source, loaded.revision, fingerprint)
    old = _read_reference(dataset, refs_dir)
    if old == new:
        return False
    if old is not None and (old.hub, old.revision) == (new.hub, new.revision):
        raise UserMistake(
            f"dataset {dataset}: the commit {new.revision[:12]} showed other rows before "
            f"(fingerprint {old.fingerprint[:12]}, now {fingerprint[:12]}); clear the Hugging "
            f"Face cache, or delete {path} to accept them"
        )
    try:
        with whole_file(path) as out:
            out.write(json.dumps(asdict(new), indent=1).encode() + b"\n")
    except OSError as error:
        raise UserMistake(
            f"cannot record the dataset's commit in {path} ({error.strerror}); "
            "set XDG_CACHE_HOME to a folder that can be written"
        ) from error
    return True


def _reference_path(dataset: str, refs_dir: Path) -> Path:
    return refs_dir / f"{dataset}.json"


def _read_reference(dataset: str, refs_dir: Path) -> _Reference | None:
    path = _reference_path(dataset, refs_dir)
    try:
        return _Reference(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise UserMistake(f"cannot read {path} ({error}); delete it and load again") from error


class _NotCached(Exception):  # noqa: N818 - an answer, told to `_mistake`
    """The hub is out of reach and the cache does not hold the wanted commit."""


def _load(hub: HubSource, known: str | None) -> tuple[str, list[dict[str, object]]]:
    """The commit (`known`, else the newest) and its rows."""
    from huggingface_hub import HfApi  # noqa: PLC0415 - slow import, only for hub datasets

    try:
        # Asked first because it is one request with one time-out; `datasets` would retry for long.
        info = HfApi().dataset_info(hub.id, revision=known, timeout=RESOLVE_TIMEOUT)
        revision = cast("str", info.sha)
        builder = _hub_builder(hub, revision)
    except Exception as error:
        if known is None or not _out_of_reach(error):
            raise
        revision = known
        builder = _cached_builder(hub, revision)
    builder.download_and_prepare()
    return revision, builder.as_dataset(split=hub.split).to_list()


def _hub_builder(hub: HubSource, revision: str) -> Any:
    import datasets  # noqa: PLC0415

    return datasets.load_dataset_builder(hub.id, hub.config, revision=revision)


def _cached_builder(hub: HubSource, revision: str) -> Any:
    import datasets  # noqa: PLC0415

    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True  # else it would try, wait and retry once more
    try:
        builder = datasets.load_dataset_builder(hub.id, hub.config)
    except (ConnectionError, ValueError) as error:  # not cached at all, or not in this config
        raise _NotCached from error
    finally:
        datasets.config.HF_HUB_OFFLINE = before
    # Without a network `datasets` takes the newest commit in its cache, whatever was asked for.
    if builder.hash != revision:
        raise _NotCached
    return builder


def _out_of_reach(error: Exception) -> bool:
    # By class name: the hub's client has changed its HTTP library (requests, httpx, httpx2), and
    # each has classes of its own.
    names = {base.__name__ for base in type(error).__mro__}
    return bool(names & {"ConnectionError", "TransportError", "Timeout", "_NotCached"})


def _mistake(dataset: str, hub: HubSource, error: Exception) -> UserMistake:
    text = f"{type(error).__name__}: {error}"
    elsewhere = f"or supply a copy with --dataset {dataset} --data-file FILE"
    if isinstance(error, ImportError):
        return UserMistake(
            f"dataset {dataset} is loaded by Hugging Face datasets, which cannot be imported "
            f"({error}): pip install datasets, {elsewhere}"
        )
    if "gated" in text.lower():
        return UserMistake(
            f"dataset {dataset} is gated: accept its terms at https://huggingface.co/datasets/"
            f"{hub.id} and set HF_TOKEN to a token of that account, {elsewhere}"
        )
    if type(error).__name__ in ("DatasetNotFoundError", "RepositoryNotFoundError"):
        return UserMistake(
            f"dataset {dataset}: the hub has no {hub.id} at the requested commit; "
            f"check its page, {elsewhere}"
        )
    if _out_of_reach(error):
        return UserMistake(
            f"dataset {dataset}: the Hugging Face hub is unreachable and {hub.id} is not in the "
            f"local cache; check the network, {elsewhere}"
        )
    return UserMistake(
        f"dataset {dataset}: {hub.id} could not be loaded from the Hugging Face hub "
        f"({type(error).__name__}); check its page and the disk, {elsewhere}"
    )
