"""The leaderboard's columns: what each is called, and how it shows a run; the table as Markdown."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from evaluators.reports.leaderboard import Relative, Row, all_tokens
from evaluators.reports.safe_text import markdown_text
from evaluators.statistics.estimators import MAX_WORK
from evaluators.statistics.groups import KINDS, GroupAccuracy, natural_order
from evaluators.statistics.metrics import TWO_ROLES, Costs
from evaluators.statistics.track_table import Times
from evaluators.statistics.uncertainty import Interval

TIME_HEADINGS = (
    "run",
    "seconds: mean / median / least / longest",
    "of answered attempts",
    "tokens of the chosen track",
)
GUIDED_HEADINGS = ("run", "role or method", "tracks", "correct", "accuracy")
NOTES = (
    "(95 %): interval over the population of problems. SE problems: over that population; "
    "samples: over new samples of the same problems. ±: SE over problems. Errors and missing "
    "attempts count as not correct. Costs: per attempt; ×: against the baseline."
)
UNCOUNTED = (
    f"maj@k: – where k times the attempts per problem is above {MAX_WORK:,}, too many to be "
    "exact; a smaller k, or all attempts, has one."
)
RATE_FIELDS = {
    "no-answer": "no_answer",
    "ungradable": "ungradable",
    "truncated": "truncated",
    "errors": "error",
    "missing": "missing",
}
"""The shares of attempts that did not come to a verdict by themselves, and their fields."""
GIGA = 1e9
LONG_NUMBER = 10_000
"""From here on a count is shown in thousands: `123k`; CSV and JSON have every digit."""
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the name by which it is asked for, its heading, and how it shows a run.

    `is_text` says that it stands to the left.
    """

    name: str
    heading: str
    show: Callable[[Row], str]
    is_text: bool = False


def model_name(model: str) -> str:
    """A model's name on the hub as it is, a folder by its last part."""
    return PurePath(model).name if PurePath(model).is_absolute() else model


def label(row: Row) -> str:
    """What the accuracy is a mean of: `avg@3 (30×3)` is 30 problems with 3 repeats each."""
    metrics = row.metrics
    return f"avg@{metrics.repeats} ({metrics.problems}×{metrics.repeats})"


def rate(row: Row, name: str) -> float | None:
    """The share of attempts that the rate of this name is; None where it is unknown."""
    value: float | None = getattr(row.metrics.rates, RATE_FIELDS[name])
    return value


def times(row: Row, ratio: str) -> str:
    """A cost divided by the baseline's, or a dash."""
    return fixed(getattr(row.relative, ratio)) if row.relative is not None else "–"


def accuracy(row: Row) -> str:
    """The accuracy with its interval over the population of problems, in percent."""
    return f"{row.metrics.accuracy:.1%}" + interval_text(row.metrics.uncertainty.population)


def interval_text(interval: Interval | None) -> str:
    """An interval of shares in percent, in brackets behind a figure; none: nothing."""
    return f" ({100 * interval.low:.1f}–{100 * interval.high:.1f})" if interval else ""


def share(value: float | None) -> str:
    """A share of 1 in percent, or a dash."""
    return f"{value:.1%}" if value is not None else "–"


def whole(count: float | None) -> str:
    """A count without decimals, a long one to three digits in thousands or millions, or a dash."""
    if count is None:
        return "–"
    if round(count) < LONG_NUMBER or count >= MILLION * MILLION:
        return f"{count:,.0f}"
    digits = f"{count:.3g}"
    size, unit = (1e3, "k") if float(digits) < MILLION else (1e6, "M")
    short = float(digits) / size
    return f"{short:.{max(0, 2 - int(math.log10(short)))}f}{unit}"


def fixed(value: float | None) -> str:
    """A number to two decimals, or a dash."""
    return f"{value:.2f}" if value is not None else "–"


def _group_accuracy(one: GroupAccuracy | None) -> str:
    return "–" if one is None else share(one.accuracy) + interval_text(one.uncertainty.population)


def _rate_column(name: str) -> Column:
    return Column(name, name.replace("-", " "), lambda row: share(rate(row, name)))


def _errors(row: Row) -> str:
    error = row.metrics.uncertainty
    return f"{share(error.population_error)} / {share(error.samples_error)}"


def _pass_at_k(row: Row) -> str:
    metrics = row.metrics
    return _estimate(metrics.pass_at_k, metrics.pass_at_k_error, metrics.k)


def _maj_at_k(row: Row) -> str:
    metrics = row.metrics
    return _estimate(metrics.maj_at_k, metrics.maj_at_k_error, metrics.k)


def _estimate(value: float | None, error: float | None, k: int) -> str:
    return f"{value:.1%} ± {share(error)} (k={k})" if value is not None else f"– (k={k})"


def _tokens_by_role(costs: Costs) -> str:
    """The target's and the draft's, as the heading says, and those of further roles by name."""
    others = {role: made for role, made in (costs.tokens or {}).items() if role not in TWO_ROLES}
    return " / ".join(
        [
            whole(costs.target_tokens),
            whole(costs.draft_tokens),
            *(f"{role} {whole(made)}" for role, made in others.items()),
        ]
    )


def tokens_a_forward(costs: Costs) -> str:
    """The target's, and the draft's behind it where there is one."""
    drafted = costs.draft_tokens or "draft" in costs.tokens_a_forward
    shown = TWO_ROLES if drafted else TWO_ROLES[:1]
    return " / ".join(fixed(costs.tokens_a_forward.get(role)) for role in shown)


def _gflops(costs: Costs) -> str:
    return f"{giga(costs.flops_decode)} / {giga(costs.flops_total)}"


def giga(flops: float | None) -> str:
    """FLOPs in 10⁹, or a dash."""
    return f"{flops / GIGA:,.2f}" if flops is not None else "–"


def _two_times(row: Row) -> str:
    relative: Relative | None = row.relative
    if relative is None:
        return "–"
    return f"{fixed(relative.flops_decode)} / {fixed(relative.flops_total)}"


def _seconds(costs: Costs) -> str:
    return f"{fixed(costs.seconds_p50)} / {fixed(costs.seconds_p95)}"


def _four_times(of: Times) -> str:
    return " / ".join(map(fixed, (of.mean, of.p50, of.least, of.longest)))


RATES = tuple(_rate_column(name) for name in RATE_FIELDS)
COLUMNS = (
    Column("run", "run", lambda row: row.metrics.run, is_text=True),
    Column("dataset", "dataset", lambda row: row.metrics.dataset, is_text=True),
    Column("reasoner", "reasoner", lambda row: row.metrics.reasoner, is_text=True),
    Column("model", "model", lambda row: model_name(row.metrics.model), is_text=True),
    Column("accuracy", "accuracy (95 %)", accuracy),
    Column("label", "label", label),
    Column("se", "SE problems / samples", _errors),
    Column("pass@k", "pass@k", _pass_at_k),
    Column("maj@k", "maj@k", _maj_at_k),
    Column("any", "any", lambda row: share(row.metrics.any_correct)),
    Column("tokens", "tokens target / draft", lambda row: _tokens_by_role(row.metrics.costs)),
    Column("all-tokens", "tokens", lambda row: whole(all_tokens(row.metrics.costs))),
    Column("tokens-a-forward", "tokens a forward", lambda row: tokens_a_forward(row.metrics.costs)),
    Column("x-total", "× total", lambda row: times(row, "flops_total")),
    Column("x-decode", "× decode", lambda row: times(row, "flops_decode")),
    Column("x-tokens", "× tokens", lambda row: times(row, "tokens")),
    *RATES,
    Column("drafts-kept", "drafts kept", lambda row: share(row.metrics.costs.acceptance)),
    Column("rewritten", "steps rewritten", lambda row: share(row.metrics.costs.rewrites)),
    Column(
        "draft-tokens-kept", "draft tokens kept", lambda row: share(row.metrics.costs.draft_kept)
    ),
    Column("gflops", "GFLOPs decode / total", lambda row: _gflops(row.metrics.costs)),
    Column("x", "× decode / total", _two_times),
    Column("seconds", "seconds p50 / p95", lambda row: _seconds(row.metrics.costs)),
)
BY_NAME = {column.name: column for column in COLUMNS}
WHOLE = (
    *("run", "reasoner", "model", "accuracy", "label", "se", "pass@k", "maj@k", "any"),
    *RATE_FIELDS,
    *("tokens", "tokens-a-forward", "drafts-kept", "rewritten", "draft-tokens-kept"),
    *("gflops", "x", "seconds"),
)
"""The columns of the whole table, as Markdown has it, in order."""


def whole_columns(table: Sequence[Row]) -> list[Column]:
    """The columns of the whole table that say something: of drafts, baselines and repeats only
    where there are some.

    Rates that are 0 in every row stay: that nothing went wrong is news too.
    """
    silent = silent_columns(table)
    return [BY_NAME[name] for name in WHOLE if name not in silent]


def silent_columns(table: Sequence[Row]) -> set[str]:
    """The names of columns in which no row has anything to say."""
    silent = set()
    if all(row.metrics.costs.draft_kept is None for row in table):
        silent.add("draft-tokens-kept")
    if one_token_a_forward([row.metrics.costs for row in table]):
        silent.add("tokens-a-forward")
    if all(row.metrics.costs.acceptance is None for row in table):
        silent |= {"drafts-kept", "rewritten"}
    for name, ratio in (("x-total", "flops_total"), ("x-decode", "flops_decode")):
        if all(times(row, ratio) == "–" for row in table):
            silent.add(name)
    for name, cost in (("seconds", "seconds_p50"), ("gflops", "flops_decode")):
        if all(getattr(row.metrics.costs, cost) is None for row in table):
            silent.add(name)
    if all(row.relative is None for row in table):
        silent |= {"x", "x-tokens"}
    if all(row.metrics.repeats == 1 for row in table):
        silent |= {"pass@k", "maj@k", "any"}  # all are the accuracy
    return silent


def one_token_a_forward(each: Sequence[Costs]) -> bool:
    """Whether every forward that was counted gave one token, as every model writes by itself."""
    return all(made == 1 for costs in each for made in costs.tokens_a_forward.values())


def absent_rates(table: Sequence[Row]) -> list[str]:
    """The names of the rates that are 0 for every run, which one sentence can say."""
    return [name for name in RATE_FIELDS if all(rate(row, name) == 0 for row in table)]


def time_cells(table: Sequence[Row]) -> list[list[str]]:
    """Times and the chosen track's tokens, per attempt, in the order of `TIME_HEADINGS`."""
    return [
        [
            row.metrics.run,
            _four_times(row.metrics.tracks.every),
            _four_times(row.metrics.tracks.answered),
            whole(row.metrics.tracks.chosen_tokens),
        ]
        for row in table
    ]


def guided_cells(table: Sequence[Row]) -> list[list[str]]:
    """Uses and accuracy by role and by method as text, in the order of `GUIDED_HEADINGS`.

    Empty where no track of a run has one.
    """
    return [
        [row.metrics.run, one.name, str(one.tracks), str(one.correct), share(one.accuracy)]
        for row in table
        for one in row.metrics.tracks.guided
    ]


def group_names(table: Sequence[Row], kind: str) -> list[str]:
    """The groups of a kind that any run has, in their natural order."""
    return sorted(
        {one.name for row in table for one in row.groups.get(kind, ())}, key=natural_order
    )


def group_table(table: Sequence[Row], kind: str, runs: Sequence[str]) -> list[list[str]]:
    """Headings and a line for each group of a kind: its name, its problems, each run's accuracy.

    `runs` are the names of the table's runs as they are shown; a run without the group has a dash.
    """
    found = [{one.name: one for one in row.groups.get(kind, ())} for row in table]
    names = group_names(table, kind)
    sizes = {name: max(of[name].problems for of in found if name in of) for name in names}
    return [
        [kind, "problems", *runs],
        *(
            [name, str(sizes[name]), *(_group_accuracy(groups.get(name)) for groups in found)]
            for name in names
        ),
    ]


def notes(table: Sequence[Row]) -> str:
    """What the columns mean, for the line below the table."""
    counted = all(row.metrics.maj_at_k is not None for row in table)
    return NOTES if counted else f"{NOTES} {UNCOUNTED}"


def as_markdown(table: Sequence[Row], columns: Sequence[Column] | None = None) -> str:
    """A Markdown table of these columns, or of all with something to say and the tables beside it.

    No name in it is taken for markup or HTML, or breaks it.
    """
    chosen = whole_columns(table) if columns is None else columns
    lines = [[one.heading for one in chosen], *([one.show(row) for one in chosen] for row in table)]
    said = [*markdown_table(lines), "", notes(table)]
    if columns is None:
        guided = guided_cells(table)
        said += ["", *markdown_table([TIME_HEADINGS, *time_cells(table)])]
        said += ["", *markdown_table([GUIDED_HEADINGS, *guided])] if guided else []
    runs = [row.metrics.run for row in table]
    for kind in KINDS:
        if any(row.groups.get(kind) for row in table):
            said += ["", *markdown_table(group_table(table, kind, runs))]
    return "\n".join(said)


def markdown_table(lines: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, the first of them its head."""
    ruled = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return ["| " + " | ".join(map(markdown_text, line)) + " |" for line in ruled]
