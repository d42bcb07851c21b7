"""What a table's file says, typed: models, rows with their sweeps, columns, expected values."""

import itertools
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.errors import UserMistake
from pipeline.problems.manifests import manifest_names
from pipeline.tables.document import Document, Keys, is_a, nearest

PARTS = ("title", "baseline", "columns", "defaults", "models", "rows")
COLUMN_KEYS = ("name", "dataset", "data_file", "problem_range")
ROW_KEYS = ("reasoner", "sweep", "expected")
CARD_KEYS = (
    "sampling",
    "released",
    "usd_per_gpu_hour",
    "gpus",
    "usd_per_million_tokens",
    "tokens_per_second",
    "source",
)
CACHED = "cached_input"
TOKEN_PRICES = ("input", "output", CACHED)
EXPECTED_KEYS = ("column", "value", "source")
OF_COLUMNS = ("dataset", "data_file", "problem_range", "problem_id")
COLUMN = re.compile(r"(?P<problems>[^\[\]]+)(?:\[(?P<range>[^\[\]]+)\])?")
DATA_FILES = (".jsonl", ".csv", ".parquet")
RELEASED = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?")


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, and the keys under which it stands in the file; `paths_from` is that file's folder.

    A path is relative to it.
    """

    value: Any
    keys: Keys
    paths_from: Path = Path()


Settings = Mapping[str, Setting]


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """Dollars for a million tokens: of prompts, of what is written, of prompts in a cache."""

    input: float
    output: float
    cached_input: float


@dataclass(frozen=True, slots=True)
class Card:
    """A model: the options of its engine, its sampling, and what is known of it.

    `released` is YYYY-MM-DD or YYYY-MM. `usd_per_gpu_hour` is the price of one of its `gpus`, and
    `tokens_per_second` what one copy of it on these generates with enough requests in flight; a
    hosted one has a price for its tokens in place of it.
    """

    name: str
    options: Settings
    sampling: Settings
    released: str | None = None
    usd_per_gpu_hour: float | None = None
    gpus: int | None = None
    tokens_per_second: float | None = None
    usd_per_million_tokens: TokenPrice | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A slice of a dataset; `settings` are those that all its cells have."""

    name: str
    dataset: str | None
    data_file: Path | None
    problem_range: str
    settings: Settings
    keys: Keys


@dataclass(frozen=True, slots=True)
class Expected:
    """An accuracy that somebody else reports, a share of 1, and where."""

    value: float
    source: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """A reasoner with its models and settings; of a sweep one combination.

    `family` is its name in the file, `swept` what the sweep gave it; `cards` are by the roles of
    the models, `expected` by columns.
    """

    name: str
    family: str
    reasoner: str
    cards: Mapping[str, Setting]
    settings: Settings
    swept: Mapping[str, Any] = field(default_factory=dict)
    expected: Mapping[str, Expected] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableFile:
    """A table as its file says it; `baseline` is the row that others are compared with."""

    document: Document
    title: str
    baseline: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    cards: Mapping[str, Card]
    defaults: Settings


def read_table(file: Path, assignments: Collection[str], roles: Collection[str]) -> TableFile:
    """Read a table's file, with `--set` assignments over it; `roles` are those a model may have.

    Raises:
        UserMistake: it cannot be read, or has a key or a value that no table has.
    """
    document = Document(file)
    _put_cards(document)
    for assignment in assignments:
        document.set(assignment)
    document.refuse_unknown((), PARTS)
    columns = tuple(_columns(document))
    rows = tuple(_rows(document, columns, roles))
    return TableFile(
        document=document,
        title=document.get(("title",), str, file.stem),
        baseline=_baseline(document, rows),
        rows=rows,
        columns=columns,
        cards={name: _card(document, name) for name in document.get(("models",), dict, {})},
        defaults=settings_at(document, ("defaults",)),
    )


def settings_at(document: Document, keys: Keys, without: Collection[str] = ()) -> Settings:
    """The values of the table at `keys`, each with where it stands."""
    return {
        name: Setting(value, (*keys, name), document.folder((*keys, name)))
        for name, value in document.get(keys, dict, {}).items()
        if name not in without
    }


def _put_cards(document: Document) -> None:
    """Let the cards in other files stand in `models`, by their files' stems or the names given."""
    named = document.values.get("models", {})
    if isinstance(named, list):
        for one in named:
            if not isinstance(one, str):
                raise document.mistake(
                    ("models",), f"{one!r} is no card; name its file, such as cards/qwq.toml."
                )
        document.values["models"] = {}
        named = {Path(str(one)).stem: one for one in named}
    elif not isinstance(named, dict):
        document.get(("models",), dict)
    for name, card in named.items():
        if isinstance(card, str):
            document.put(("models", name), document.file.parent / card)


def _card(document: Document, name: str) -> Card:
    keys = ("models", name)
    document.get(keys, dict)
    options = settings_at(document, keys, CARD_KEYS)
    released = document.values["models"][name].get("released")
    if isinstance(released, date):
        released = released.isoformat()
    if released is not None and not (isinstance(released, str) and RELEASED.fullmatch(released)):
        raise document.mistake(
            (*keys, "released"), f"released is {released!r}; it must be a date such as 2025-03-05."
        )
    price = document.get((*keys, "usd_per_gpu_hour"), float)
    gpus = document.get((*keys, "gpus"), int)
    rate = document.get((*keys, "tokens_per_second"), float)
    numbers = {"usd_per_gpu_hour": price, "gpus": gpus, "tokens_per_second": rate}
    for what, amount in numbers.items():
        if amount is not None and not 0 < amount < math.inf:
            raise document.mistake((*keys, what), f"{what} is {amount}; it must be above 0.")
    return Card(
        name=name,
        options=options,
        sampling=settings_at(document, (*keys, "sampling")),
        released=released,
        usd_per_gpu_hour=price,
        gpus=gpus,
        tokens_per_second=rate,
        usd_per_million_tokens=_token_price(document, keys),
        source=document.get((*keys, "source"), str),
    )


def _token_price(document: Document, card: Keys) -> TokenPrice | None:
    """The price of a hosted model; what is in its cache costs as other prompts, unless it says."""
    keys = (*card, "usd_per_million_tokens")
    if not document.get(keys, dict, {}):
        return None
    document.refuse_unknown(keys, TOKEN_PRICES)
    if document.get((*card, "usd_per_gpu_hour"), float) is not None:
        raise document.mistake(
            keys, "the model has a price for its GPUs and one for its tokens; drop one of the two."
        )
    prices: list[float] = []
    for name in TOKEN_PRICES:
        dollars = document.get((*keys, name), float, prices[0] if name == CACHED else None)
        if dollars is None or not 0 <= dollars < math.inf:
            raise document.mistake(
                keys,
                f"usd_per_million_tokens has no {name} of 0 or more; write "
                "{input = 0.5, output = 1.5}.",
                name,
            )
        prices.append(float(dollars))
    return TokenPrice(*prices)


def _columns(document: Document) -> Iterator[Column]:
    listed = document.get(("columns",), list, [])
    if not listed:
        raise UserMistake(f'{document.file}: name its columns, such as columns = ["pocket"].')
    names = set()
    for entry in listed:
        column = _column(document, entry)
        if column.name in names:
            raise document.mistake(
                column.keys,
                f"two columns are called {column.name!r}; give one a name.",
                column.name,
            )
        names.add(column.name)
        yield column


def _column(document: Document, entry: object) -> Column:
    keys = ("columns",)
    if isinstance(entry, str):
        match = COLUMN.fullmatch(entry)
        if match is None:
            raise document.mistake(
                keys, f"{entry!r} is no column; write a dataset, or dataset[range].", entry
            )
        problems = match["problems"].strip()
        what = "data_file" if problems.endswith(DATA_FILES) else "dataset"
        entry = {what: problems, "problem_range": match["range"] or "all"}
    if not isinstance(entry, dict):
        raise document.mistake(keys, f"{entry!r} is no column; write a text or a table.")
    given = {key: value for key, value in entry.items() if key in COLUMN_KEYS}
    for key, value in given.items():
        if not isinstance(value, str):
            raise document.mistake(keys, f"a column's {key} is {value!r}; it must be a text.", key)
    if not given.keys() & {"dataset", "data_file"}:
        raise document.mistake(
            keys, f"a column needs a dataset or a data_file; one has only {', '.join(entry)}."
        )
    dataset, data_file = given.get("dataset"), given.get("data_file")
    if dataset is not None and dataset.endswith(DATA_FILES):
        raise document.mistake(
            keys, f"{dataset!r} is a file; write data_file = {dataset!r}.", dataset
        )
    if dataset is not None and dataset not in manifest_names():
        raise document.unknown(keys, "dataset", dataset, manifest_names(), near=dataset)
    ranged = given.get("problem_range", "all")
    whole = dataset or Path(data_file or "").stem
    folder = document.folder(keys)
    return Column(
        name=given.get("name", whole if ranged == "all" else f"{whole}[{ranged}]"),
        dataset=dataset,
        data_file=None if data_file is None else folder / data_file,
        problem_range=ranged,
        settings={
            key: Setting(value, (*keys, key), folder)
            for key, value in entry.items()
            if key not in COLUMN_KEYS
        },
        keys=keys,
    )


def _rows(document: Document, columns: Collection[Column], roles: Collection[str]) -> Iterator[Row]:
    named = document.get(("rows",), dict, {})
    if not named:
        raise UserMistake(f"{document.file}: it has no rows; begin one with [rows.NAME].")
    known = document.get(("models",), dict, {})
    for family in named:
        keys = ("rows", family)
        document.get(keys, dict)
        own = settings_at(document, keys, ROW_KEYS)
        for key in own.keys() & set(OF_COLUMNS):
            raise document.mistake((*keys, key), f"{key} says which problems; write it in columns.")
        for swept in _combinations(document, keys):
            settings = {**settings_at(document, ("defaults",)), **own, **swept}
            cards = {role: settings[role] for role in roles if role in settings}
            for role, card in cards.items():
                if not isinstance(card.value, str) or card.value not in known:
                    raise document.unknown(card.keys, "model", str(card.value), known, role)
            values = {key: setting.value for key, setting in swept.items()}
            words = [f"{key}={value}" for key, value in values.items()]
            yield Row(
                name=" ".join([family, *words]),
                family=family,
                reasoner=_reasoner(document, keys),
                cards=cards,
                settings={
                    key: setting for key, setting in {**own, **swept}.items() if key not in roles
                },
                swept=values,
                expected=_expected(document, keys, values, [one.name for one in columns]),
            )


def _reasoner(document: Document, keys: Keys) -> str:
    by_default = document.get(("defaults", "reasoner"), str)
    reasoner: str | None = document.get((*keys, "reasoner"), str, by_default)
    if reasoner is None:
        raise document.mistake(keys, 'the row has no reasoner; write reasoner = "baseline".')
    return reasoner


def _combinations(document: Document, keys: Keys) -> Iterator[Settings]:
    """The settings of each row that a sweep stands for; without one a row without settings."""
    swept = document.get((*keys, "sweep"), dict, {})
    for key, values in swept.items():
        place = (*keys, "sweep", key)
        if not isinstance(values, list) or not values:
            raise document.mistake(
                place, f"sweep.{key} is {values!r}; it must be a list of values."
            )
        if any(one == other for one, other in itertools.combinations(values, 2)):
            raise document.mistake(place, f"sweep.{key} has a value twice.")
        if key in document.values["rows"][keys[-1]]:
            raise document.mistake(
                place, f"the row has {key} and sweep.{key}; drop one of the two."
            )
    for chosen in itertools.product(*swept.values()):
        yield {
            key: Setting(value, (*keys, "sweep", key), document.folder((*keys, "sweep", key)))
            for key, value in zip(swept, chosen, strict=True)
        }


def _expected(
    document: Document, keys: Keys, swept: Mapping[str, Any], columns: Collection[str]
) -> dict[str, Expected]:
    """What is expected of a row, by columns; further keys say which of the sweep's rows it is."""
    place = (*keys, "expected")
    found: dict[str, Expected] = {}
    for entry in document.get(place, list, []):
        if not isinstance(entry, dict) or not entry.keys() >= {"column", "value"}:
            raise document.mistake(place, "expected has {column = …, value = …, source = …} each.")
        known = (*EXPECTED_KEYS, *swept)
        for key in entry.keys() - set(known):
            raise document.unknown(place, "key", key, known, near=key)
        column, value = entry["column"], entry["value"]
        if column not in columns and document.is_set(("columns",)):
            continue
        if column not in columns:
            raise document.unknown(place, "column", str(column), columns, near=str(column))
        if not is_a(value, float) or not 0 <= value <= 1:
            raise document.mistake(
                place,
                f"the expected value {value!r} must be a share of 1: 0.733 for 73.3 %.",
                str(value),
            )
        if all(entry.get(key, chosen) == chosen for key, chosen in swept.items()):
            if column in found:
                whose = "".join(f", {key} {one}" for key, one in swept.items())
                raise document.mistake(
                    place,
                    f"two values are expected of the column {column!r}{whose}; keep one.",
                    column,
                )
            found[column] = Expected(float(value), entry.get("source"))
    return found


def _baseline(document: Document, rows: Collection[Row]) -> str:
    """The row's name; the first row's where the file says none."""
    first = next(iter(rows)).name
    wanted: str = document.get(("baseline",), str, first)
    found = [row.name for row in rows if wanted in {row.name, row.family}]
    if len(found) == 1:
        return found[0]
    names = [row.name for row in rows]
    if found:
        raise document.mistake(("baseline",), f"{wanted!r} is a sweep; choose one of {found}.")
    raise document.mistake(("baseline",), f"there is no row {wanted!r}; {nearest(wanted, names)}.")
