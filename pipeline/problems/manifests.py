"""Dataset manifests: one TOML file per dataset, with its source and the meaning of its columns."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from pipeline import plugins
from pipeline.errors import UserMistake
from pipeline.near_match import near_match
from pipeline.resources import datasets_dir

AnswerKind = Literal["integer", "latex", "choice", "text"]
ANSWER_KINDS: tuple[str, ...] = get_args(AnswerKind)
_DATE = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2]))?")


@dataclass(frozen=True, slots=True)
class HubSource:
    """A dataset on the Hugging Face hub; `revision` is a commit, None where none is pinned."""

    id: str
    config: str | None
    split: str
    revision: str | None


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what. `id` None: the row's number from 0 is its id.

    `incorrect` columns, beside `answer`, make choices that are shuffled; a `choices` column holds
    choices whose order is kept. `record` is the row's stable id: the seed of its shuffle. Of an
    answer that holds more than the answer, the last match of `answer_pattern` counts (its group).
    `answer_is_list`: the column holds a list of answers, all of which must be given.
    """

    problem: str
    answer: str
    id: str | None = None
    incorrect: tuple[str, ...] = ()
    choices: str | None = None
    kind: str | None = None
    level: str | None = None
    subject: str | None = None
    record: str | None = None
    answer_pattern: re.Pattern[str] | None = None
    answer_is_list: bool = False


@dataclass(frozen=True, slots=True)
class AliasRule:
    """A second name for a problem: `name` (with groups) wherever `pattern` is found in `column`."""

    column: str
    pattern: re.Pattern[str]
    name: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that is known of a dataset without loading it.

    Exactly one of `hub` and `bundled` (a file beside the manifest) is set, or neither for a
    user's own file. `package` is the plug-in's, None for what ships with the program. `kind` None:
    each row says, or its choices do. `rows` and `fingerprint` are verified where they are known.
    `gated`: only who accepted its terms may see its rows, so reports leave its texts out unless
    asked. `published` is the year, or year and month, since when its problems are public: models
    trained later may have seen them. `unverified` says what of the manifest nobody has checked
    against the rows.
    """

    name: str
    about: str
    kind: AnswerKind | None
    prompt_set: str
    columns: Columns
    aliases: tuple[AliasRule, ...] = ()
    hub: HubSource | None = None
    bundled: Path | None = None
    rows: int | None = None
    fingerprint: str | None = None
    gated: bool = False
    licence: str | None = None
    notice: str | None = None
    url: str | None = None
    published: str | None = None
    unverified: str | None = None
    package: str | None = None

    @property
    def ships_with_us(self) -> bool:
        """Whether its rows come with this program: the ones that the bundled models know."""
        return self.bundled is not None and self.package is None


def bundled_names() -> tuple[str, ...]:
    """The names of the datasets whose manifests ship with the program, sorted."""
    return tuple(sorted(path.stem for path in datasets_dir().glob("*.toml")))


def manifest_names() -> tuple[str, ...]:
    """The names of all datasets that have a manifest, those of plug-ins too, sorted."""
    bundled = bundled_names()
    return tuple(sorted((*bundled, *plugins.added("datasets", bundled))))


def gated_datasets() -> tuple[str, ...]:
    """The names of the datasets whose texts reports leave out unless asked, sorted.

    One whose manifest cannot be read is among them, as nobody knows.
    """
    return tuple(name for name in manifest_names() if _may_be_gated(name))


def _may_be_gated(name: str) -> bool:
    try:
        return load_manifest(name).gated
    except UserMistake:
        return True


def load_manifest(name: str) -> Manifest:
    """The manifest of the dataset `name`; `UserMistake` with a near match if there is none."""
    names = manifest_names()
    if name not in names:
        near = near_match(name, names)
        hint = f"did you mean {near}? " if near is not None else ""
        raise UserMistake(
            f"unknown dataset {name!r}: {hint}`speclrm datasets` lists the known "
            "ones; for a file of your own use --data-file FILE"
        )
    plugin = plugins.find("datasets", name, bundled_names())
    if plugin is None:
        return manifest_at(datasets_dir() / f"{name}.toml")
    file = plugin.folder() / f"{name}.toml"
    if not file.is_file():
        raise plugin.broken(f"its folder has no {file.name}")
    return manifest_at(file, plugin.package)


def manifest_at(path: Path, package: str | None = None) -> Manifest:
    """The manifest in the TOML file `path`; its stem is the dataset's name.

    `package` is the plug-in's that brings it.

    Raises `UserMistake` for a file that is not TOML, an unknown, missing or wrong entry.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserMistake(f"cannot read the manifest {path.name}: {error}") from error
    try:
        manifest = _manifest(path, package, table)
    except (TypeError, re.error) as error:  # TypeError: an entry that the dataclass does not know
        raise UserMistake(f"manifest {path.name}: {error}; see docs/datasets.md") from error
    if (manifest.hub is None) == (manifest.bundled is None):
        raise UserMistake(f"manifest {path.name}: give either [hub] or bundled = FILE, not both")
    if manifest.kind is not None and manifest.kind not in ANSWER_KINDS:
        allowed = ", ".join(ANSWER_KINDS)
        raise UserMistake(f"manifest {path.name}: kind {manifest.kind!r} is none of {allowed}")
    if manifest.published is not None and not _DATE.fullmatch(manifest.published):
        raise UserMistake(
            f"manifest {path.name}: published is {manifest.published!r}; write YYYY or YYYY-MM"
        )
    pattern = manifest.columns.answer_pattern
    if pattern is not None and pattern.groups != 1:
        raise UserMistake(f"manifest {path.name}: answer_pattern needs one group, the answer")
    return manifest


def _manifest(path: Path, package: str | None, table: Mapping[str, object]) -> Manifest:
    apart = ("hub", "bundled", "columns", "alias")
    rest = {key: value for key, value in table.items() if key not in apart}
    rest.setdefault("kind", None)
    columns = dict(cast("Mapping[str, object]", table.get("columns", {})))
    columns["incorrect"] = tuple(cast("list[str]", columns.get("incorrect", [])))
    if "answer_pattern" in columns:
        columns["answer_pattern"] = re.compile(cast("str", columns["answer_pattern"]))
    rules = cast("list[Mapping[str, str]]", table.get("alias", []))
    bundled = cast("str | None", table.get("bundled"))
    return Manifest(
        name=path.stem,
        package=package,
        bundled=path.parent / bundled if bundled is not None else None,
        columns=Columns(**columns),  # type: ignore[arg-type]
        aliases=tuple(_alias_rule(rule) for rule in rules),
        hub=_hub(cast("Mapping[str, str] | None", table.get("hub"))),
        **rest,  # type: ignore[arg-type]
    )


def _alias_rule(rule: Mapping[str, str]) -> AliasRule:
    return AliasRule(**{**rule, "pattern": re.compile(rule.get("pattern", ""))})  # type: ignore[arg-type]


def _hub(table: Mapping[str, str] | None) -> HubSource | None:
    if table is None:
        return None
    return HubSource(**{"config": None, "revision": None, **table})  # type: ignore[arg-type]
