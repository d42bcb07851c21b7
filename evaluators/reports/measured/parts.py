"""A measurement as tables: what each decoder came to, who comes first, what was not measured."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from evaluators.reports.measured.figures import (
    GIGA,
    UNKNOWN,
    change,
    each,
    equal,
    megabytes,
    number,
    percent,
    spread,
)
from evaluators.reports.measured.rankings import LOSSY, rankings
from evaluators.reports.measured.report_file import OK, Entry, Report
from evaluators.reports.parts import Part

Show = Callable[[Entry], str]
Columns = Sequence[tuple[str, Show]]
OF_SPEED = """\
tokens/s = tokens of a pass / its seconds, of all completions together.
latency s = mean over completions of the seconds from the call to the last token.
[ ] = 95 % interval of the mean over passes, Student's; two passes say little."""
OF_REFERENCE = """\
× = tokens/s / those of {reference}.
Δ s = seconds of a pass - those of {reference}'s pass of the same repeat."""
OF_PROMPTS = """\
latency × = Σ latency / {reference}'s at the same prompts; 95 % interval over prompts.
latency Δ s = mean over prompts of the difference to {reference}."""
OF_MEMORY = """\
peak MB = most bytes of a pass over what was there before it, / 10⁶; no weights."""
OF_AGREEMENT = "equal = completions with the very tokens of standard."
OF_ACCURACY = "accuracy = mean over problems, %; 95 % interval over the population of problems."
OF_DIFFERENCE = """\
Δ points = accuracy - that of {reference}, problem by problem.
Holm p = of a sign-flip test, adjusted for all decoders."""
OF_FLOPS = "GFLOPs = of an attempt by the ledger: generated tokens alone / with the prompt's."
OF_TIMES = """\
first token = mean seconds from the call to it.
between tokens, latency = p50 / p90 / p99, over all passes.
s per token = mean over completions of (last token - first token) / (tokens - 1)."""
OF_FIRST = """\
loading s, first call s, warm-up s = before the first pass: not counted."""
OF_WORK = """\
tokens, forwards = in all passes together; forwards of the model / of the assistant.
tokens per forward = tokens / forwards of the model, each with all rows of a batch.
accepted = accepted / proposed guesses, %.
first differing token = its number of prompt/completion, tokens and completions from 0: the one
that comes first in any of the texts that are not {reference}'s.
gap = where a text first differs from {reference}'s: the log-probability of the likeliest token
there minus that of the next; rounding turns small ones."""
OF_SETTINGS = "What was seen in the first call."
SENTENCES = ("ignored", "warnings")
"""Settings in effect that are whole sentences: in a column they would leave names no room."""
OF_LOSSY = f"{LOSSY} keeps tokens that the model has not checked."


def parts(report: Report, *, whole: bool = True) -> list[Part]:
    """The report's tables, without those and without columns that have nothing to say.

    With `whole` false only those that a reader needs first.
    """
    made = [_overview(report), *rankings(report), *_accuracies(report)]
    if whole:
        made += [
            _paired(report),
            _times(report),
            _work(report),
            _memory(report),
            _metrics(report),
            _settings(report),
            _unknown(report),
        ]
    return [one for one in (*made, _untold(report)) if one.lines and len(one.headings) > 1]


def marked(one: Entry) -> str:
    """The decoder's name, with a mark where its text may be another than the model's."""
    return f"{one.decoder} {LOSSY}" if one.unverified else one.decoder


def _part(report: Report, title: str, columns: Columns, notes: str) -> Part:
    """A table of decoders with those of the columns that say anything."""
    measured = report.measured
    cells = [[show(one) for one in measured] for _, show in columns]
    said = [n for n, column in enumerate(cells) if set(column) != {UNKNOWN}]
    return Part(
        title=title,
        headings=("decoder", *(columns[n][0] for n in said)),
        lines=tuple(
            (marked(one), *(cells[n][row] for n in said)) for row, one in enumerate(measured)
        ),
        texts=1,
        notes=notes.replace("{reference}", report.reference or UNKNOWN),
    )


def _overview(report: Report) -> Part:
    base = report.entry(report.reference or "")
    speed = None if base is None or base.tokens_per_second is None else base.tokens_per_second.mean

    def times(one: Entry) -> str:
        if not speed or one.tokens_per_second is None or one is base:
            return UNKNOWN
        return number(one.tokens_per_second.mean / speed)

    columns: Columns = [
        ("tokens/s [95 %]", lambda one: spread(one.tokens_per_second)),
        ("×", times),
        ("equal", equal),
        ("accuracy [95 %]", accuracy),
        ("peak MB", lambda one: megabytes(one.memory.peak if one.memory else None)),
        ("latency s [95 %]", lambda one: spread(one.latency)),
        ("Δ s [95 %]", _seconds_difference),
        ("loading s", lambda one: number(one.loading)),
        ("first call s", lambda one: number(one.first_call)),
        ("warm-up s", lambda one: number(sum(one.warm_up) if one.warm_up else None)),
    ]
    notes = [OF_SPEED, OF_REFERENCE, OF_MEMORY, OF_FIRST]
    notes += [OF_AGREEMENT] if any(one.agreement for one in report.measured) else []
    notes += [OF_ACCURACY] if any(one.accuracy for one in report.measured) else []
    notes += [OF_LOSSY] if any(one.unverified for one in report.measured) else []
    notes += [*_turns(report)]
    return _part(report, "Decoders", columns, "\n".join(notes))


def _turns(report: Report) -> Iterator[str]:
    """Which decoders did not take turns with the others, and so not at the same time."""
    if report.turns is None or len(report.turns.groups) < 2:  # noqa: PLR2004 - all took turns
        return
    groups = "; then ".join(", ".join(one) for one in report.turns.groups)
    yield f"passes took turns: {groups}."
    yield from (f"not all together: {reason}." for reason in report.turns.apart)


def accuracy(one: Entry) -> str:
    """In percent, with its interval."""
    return UNKNOWN if one.accuracy is None else percent(one.accuracy.mean, one.accuracy.interval)


def _seconds_difference(one: Entry) -> str:
    against = one.against_reference
    return UNKNOWN if against is None else change(against.seconds_difference)


def _paired(report: Report) -> Part:
    def ratio(one: Entry) -> str:
        known = one.against_reference and one.against_reference.latency_ratio
        if not known:
            return UNKNOWN
        return f"{number(known.ratio)} [{', '.join(map(number, known.interval))}]"

    columns: Columns = [
        ("latency × [95 %]", ratio),
        (
            "latency Δ s [95 %]",
            lambda one: change(
                one.against_reference.latency_difference if one.against_reference else None
            ),
        ),
    ]
    return _part(report, f"Prompt by prompt, against {report.reference}", columns, OF_PROMPTS)


def _accuracies(report: Report) -> list[Part]:
    def points(one: Entry) -> str:
        if one.difference is None:
            return UNKNOWN
        low, high = (f"{100 * end:+.1f}" for end in one.difference.interval)
        return f"{100 * one.difference.mean:+.1f} [{low}, {high}]"

    def outcome(one: Entry) -> str:
        found = one.difference
        return UNKNOWN if found is None else f"{found.wins} / {found.ties} / {found.losses}"

    def flops(one: Entry) -> str:
        costs = (one.costs.flops_decode, one.costs.flops_total) if one.costs else ()
        return each([None if cost is None else cost / GIGA for cost in costs])

    columns: Columns = [
        ("accuracy [95 %]", accuracy),
        ("Δ points [95 %]", points),
        ("Holm p", lambda one: number(one.difference.adjusted_p) if one.difference else UNKNOWN),
        ("won / tied / lost", outcome),
        ("GFLOPs", flops),
    ]
    notes = f"{OF_ACCURACY}\n{OF_DIFFERENCE}\n{OF_FLOPS}"
    graded = any(one.accuracy for one in report.measured)
    return [_part(report, "Accuracy", columns, notes)] if graded else []


def _times(report: Report) -> Part:
    def percentiles(name: str) -> Show:
        def show(one: Entry) -> str:
            found = getattr(one.pooled, name)
            return UNKNOWN if found is None else each([found.p50, found.p90, found.p99])

        return show

    columns: Columns = [
        ("first token", lambda one: number(one.pooled.first_token)),
        ("between tokens", percentiles("inter_token")),
        ("latency", percentiles("latency")),
        ("s per token", lambda one: number(one.pooled.seconds_per_token)),
    ]
    return _part(report, "Times, in seconds", columns, OF_TIMES)


def _work(report: Report) -> Part:
    def counts(one: Entry) -> str:
        return each([one.pooled.target_forwards, one.pooled.assistant_forwards])

    columns: Columns = [
        ("tokens", lambda one: number(one.pooled.tokens)),
        ("forwards, assistant's", counts),
        ("tokens per forward", lambda one: number(one.pooled.tokens_per_target_forward)),
        ("accepted", lambda one: percent(one.pooled.acceptance)),
        ("first differing token", _first_differing),
        ("largest gap", _largest_gap),
    ]
    return _part(report, "Work", columns, OF_WORK)


def _first_differing(one: Entry) -> str:
    if one.agreement is None or not one.agreement.differing:
        return UNKNOWN
    first = min(one.agreement.differing, key=lambda each: each.token)
    return f"{first.token} of {first.prompt}/{first.completion}"


def _largest_gap(one: Entry) -> str:
    differing = () if one.agreement is None else one.agreement.differing
    return number(max((each.gap for each in differing if each.gap is not None), default=None))


def _memory(report: Report) -> Part:
    def show(name: str) -> Show:
        return lambda one: megabytes(getattr(one.memory, name) if one.memory else None)

    columns: Columns = [
        ("weights", show("weights")),
        ("assistant", show("assistant_weights")),
        ("peak", show("peak")),
        ("reserved", show("reserved")),
    ]
    return _part(report, "Memory, in MB", columns, OF_MEMORY)


def _metrics(report: Report) -> Part:
    known = {name: metric for one in report.measured for name, metric in one.metrics.items()}

    def show(name: str) -> Show:
        def value(one: Entry) -> str:
            found = one.metrics.get(name)
            if found is None:
                return UNKNOWN
            ends = "" if found.interval is None else f" [{', '.join(map(number, found.interval))}]"
            return f"{number(found.mean)}{ends}"

        return value

    columns = [(name, show(name)) for name in known]
    notes = "\n".join(f"{name} = {metric.means}." for name, metric in known.items())
    return _part(report, "Metrics", columns, notes)


def _settings(report: Report) -> Part:
    """What was seen, in columns of what any decoder says of itself; sentences stand below."""
    told = dict.fromkeys(name for one in report.measured for name in one.effective)
    names = [name for name in told if name not in SENTENCES]

    def show(name: str) -> Show:
        def value(one: Entry) -> str:
            found = one.effective.get(name)
            if isinstance(found, list | dict):
                return ", ".join(map(str, found)) or UNKNOWN
            return UNKNOWN if found is None or found is False else str(found)

        return value

    columns = [(name, show(name)) for name in names]
    part = _part(report, "Settings in effect", columns, OF_SETTINGS)
    notes = "\n".join([OF_SETTINGS, *_sentences(report)])
    return replace(part, texts=len(part.headings), notes=notes)


def _sentences(report: Report) -> Iterator[str]:
    """What was ignored and warned of, a line each, with the decoders that it is said of."""
    decoders: dict[tuple[str, str], list[str]] = {}
    for one in report.measured:
        for name in SENTENCES:
            found = one.effective.get(name) or []
            for sentence in found if isinstance(found, list) else [found]:
                said = name, " ".join(str(sentence).split())
                decoders.setdefault(said, []).append(one.decoder)
    for (name, sentence), those in decoders.items():
        yield f"{name}, {', '.join(those)}: {sentence}"


def _unknown(report: Report) -> Part:
    lines = [
        (marked(one), name.replace("_", " "), why)
        for one in report.measured
        for name, why in one.unknown.items()
    ]
    return Part("Not known", ("decoder", "what", "why"), tuple(lines), 3, "")


def _untold(report: Report) -> Part:
    """Decoders that are not measured, or not as they were asked for."""
    lines = []
    for one in report.plan:
        if one.reason is not None:
            became = "unsupported" if one.measured is None else f"fell back to {one.measured}"
            lines.append((one.asked, became, one.reason))
    for entry in report.decoders:
        if entry.error is not None:
            why = f"{entry.error.type}: {entry.error.message}"
            lines.append((entry.decoder, f"failed after {entry.passes} passes", why))
        elif entry.status != OK:
            lines.append((entry.decoder, "not measured yet", "--resume goes on"))
        elif entry.passes < report.repeats:
            of = f"{entry.passes} of {report.repeats} passes"
            lines.append((entry.decoder, of, "--resume goes on"))
    return Part("Not as asked", ("decoder", "what", "why"), tuple(lines), 3, "")
