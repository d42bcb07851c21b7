"""`speclrm show`: one attempt as a readable trace."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path

import click
from rich.panel import Panel
from rich.text import Text

import evaluators
from evaluators.reports.statements import Statements, hides_text
from evaluators.run_files.attempt_lines import as_written
from pipeline.cli.console import safe_console
from pipeline.cli.run_folders import ReadRuns, only
from pipeline.errors import UserMistake
from pipeline.letters import LETTERS
from pipeline.problems.rows import file_safe
from pipeline.records import Attempt, Selection, Step, Track, Vote
from pipeline.review.asked_statements import hidden_datasets, statement_reader
from pipeline.review.last_grading import Judged, last_judged
from pipeline.runs.directory import attempt_files, read_lines, read_manifest

AUTHOR_STYLES = {"target": "cyan", "draft": "green"}
OTHER_STYLES = ("magenta", "blue", "yellow")
"""Of authors beside them, by their names in order; the first again where there are more."""


@click.command("show")
@click.argument("run", type=ReadRuns(), callback=only)
@click.option("--problem-id", required=True, help="The problem's id.")
@click.option("--repeat", "repeat_id", type=int, default=0, show_default=True)
@click.option("--show-hidden", is_flag=True, help="Show the problem of a gated dataset too.")
def show_command(run: Path, problem_id: str, repeat_id: int, show_hidden: bool) -> None:
    """Show one attempt of RUN: its problem, tracks, steps, answer, verdict and cost."""
    line, attempt = _find(run, problem_id, repeat_id)
    hidden = hides_text(attempt.dataset, hidden_datasets(shown=show_hidden))
    console, styles = safe_console(), _styles(attempt)
    console.print(_heading(attempt))
    if hidden:
        console.print(
            "The problem and its gold answer are not shown: the dataset is gated; "
            "--show-hidden shows them.\n"
        )
    else:
        console.print(_problem(attempt, statement_reader()(run)))
    for track in attempt.tracks:
        console.print(_track(track, styles))
    console.print(_ending(attempt, hidden=hidden))
    console.print(_verdict(run, attempt, last_judged(run, line, attempt), hidden=hidden))
    console.print(_cost(attempt))


def _find(run: Path, problem_id: str, repeat_id: int) -> tuple[bytes, Attempt]:
    """The line of an attempt and what it says; the id may be as written or as recorded."""
    identity = read_manifest(run)["identity"]
    recorded = {problem_id, file_safe(problem_id)}
    seen = 0
    for file in attempt_files(run):
        for line, attempt in read_lines(file, identity):
            seen += attempt.problem_id in recorded
            if attempt.problem_id in recorded and attempt.repeat_id == repeat_id:
                return line, attempt
    if seen:
        raise UserMistake(
            f"Problem {problem_id} has no repeat {repeat_id} in {run}; it has {seen} repeats, "
            "counted from 0."
        )
    raise UserMistake(f"There is no attempt at problem {problem_id} in {run}.")


def _heading(attempt: Attempt) -> Text:
    text = Text()
    text.append(
        f"{attempt.dataset} {as_written(attempt.problem_id)}, repeat {attempt.repeat_id}",
        style="bold",
    )
    seed = "unknown" if attempt.seed is None else attempt.seed
    began = attempt.started or "start unknown"
    text.append(f"  {attempt.reasoner}, seed {seed}, {began}\n")
    return text


def _problem(attempt: Attempt, asked: Statements) -> Panel | Text:
    """What the attempt was asked, or why that is not known."""
    statement = asked.by_id.get(attempt.problem_id)
    if statement is None:
        reason = asked.missing or "the dataset has no such problem"
        return Text(f"The problem is not shown: {reason}\n", style="yellow")
    body = Text(statement.problem)
    for letter, choice in zip(LETTERS, statement.choices, strict=False):
        body.append(f"\n{letter}. {choice}")
    return Panel(body, title="problem")


def _styles(attempt: Attempt) -> dict[str, str]:
    """The colour of each author's steps."""
    authors = {step.author for track in attempt.tracks for step in track.steps}
    others = zip(sorted(authors - AUTHOR_STYLES.keys()), cycle(OTHER_STYLES), strict=False)
    return AUTHOR_STYLES | dict(others)


def _track(track: Track, styles: Mapping[str, str]) -> Panel:
    """A track's steps, model text as text and never as markup."""
    body = Text()
    for step in track.steps:
        body.append(step.text, style=styles[step.author])
        body.append(f"\n— {_about(step)}\n", style="dim")
        for note in step.notes:
            body.append(f"note: {note}\n", style="yellow")
    for note in track.notes:
        body.append(f"note: {note}\n", style="yellow")
    for early in track.early or ():
        answer = early.answer or "no answer"
        body.append(f"at {early.budget} tokens of thinking ({early.stop.value}): {answer}\n", "dim")
    name = " ".join(filter(None, (f"track {track.id}", track.role, track.method)))
    stop = track.stop.value if track.stop is not None else "end unknown"
    end = f"{stop}: {track.answer or 'no answer'}"
    return Panel(body, title=Text(name), subtitle=Text(end))


def _about(step: Step) -> str:
    tokens = "unknown" if step.tokens is None else step.tokens
    parts = [step.author, f"{tokens} tokens", _seconds(step.seconds)]
    if step.finish == "length":
        parts.append("cut by length")
    score = "" if step.score is None else f"score {step.score:.2f}"
    if step.draft_text is not None:
        # The score is the draft's, and would read as the rewrite's beside its tokens.
        parts.append(f"rejected draft{f' with {score}' if score else ''}: {step.draft_text!r}")
    elif score:
        parts.append(score)
    return ", ".join(parts)


def _selection(selection: Selection) -> str:
    parts = []
    for place, method in enumerate(selection.chosen):
        asked = place < len(selection.distributions)
        shares = dict(
            zip(selection.pool, selection.distributions[place] if asked else (), strict=False)
        )
        share = f" ({shares[method]:.0%})" if method in shares else ""
        parts.append(f"{method}{share}")
    notes = "".join(f"  {note}\n" for note in selection.notes)
    return f"methods by {selection.by}: {', '.join(parts)}\n{notes}"


def _vote(vote: Vote) -> str:
    """Who voted for what under which rule, and who had no vote."""
    lines = [f"vote by {vote.rule}: {vote.reason}; track {vote.chosen} is shown as the response"]
    for tracks, answer, standing in zip(vote.classes, vote.answers, vote.standings, strict=False):
        lines.append(f"  {answer}: tracks {', '.join(tracks)}, standing {standing:.2f}")
    lines += [f"  no vote: track {one.track}, {one.reason}" for one in vote.excluded]
    return "\n".join(lines) + "\n"


def _ending(attempt: Attempt, *, hidden: bool) -> Text:
    text = Text()
    if attempt.selection is not None:
        text.append(_selection(attempt.selection))
    if attempt.vote is not None:
        text.append(_vote(attempt.vote))
    if attempt.error is not None:
        text.append(f"failed: {attempt.error.type}: {attempt.error.message}\n", style="red")
    text.append("answer ", style="bold")
    text.append(attempt.answer if attempt.answer is not None else "(none)")
    text.append("   gold ", style="bold")
    text.append("(not shown)" if hidden else attempt.gold)
    return text


def _verdict(run: Path, attempt: Attempt, judged: Judged | None, *, hidden: bool) -> Text:
    """What the last grading said, with an explanation that is derived again."""
    text = Text()
    text.append("verdict ", style="bold")
    if judged is None:
        text.append(f"not graded yet (speclrm grade {run}); a verdict made now:", style="yellow")
    elif judged.stale:
        text.append(
            f"graded before this attempt was made (speclrm grade {run}); a verdict made now:",
            style="yellow",
        )
    else:
        style = "green" if judged.verdict == "correct" else "red"
        text.append(judged.verdict, style=style)
        text.append(f" by the rule {judged.rule}, grader {judged.grader_version}")
    if hidden:
        explained = "why: not shown, because it quotes the gold answer"
    elif attempt.status == "error":
        explained = "why             the attempt failed, which counts as no answer"
    else:
        explained = _explained(attempt)
    return text.append(f"\n{explained}\n", style="dim")


def _explained(attempt: Attempt) -> str:
    try:
        return evaluators.explain(attempt.response or "", attempt.gold, attempt.kind)
    except evaluators.NoWorker as error:
        return f"why: not shown, because it takes symbolic work. {error}"


def _cost(attempt: Attempt) -> Text:
    text = Text(style="dim")
    for model, uses in (attempt.usage or {}).items():
        for use, tokens in uses.items():
            computed = "unknown" if tokens.prompt_new is None else tokens.prompt_new
            cached = "unknown" if tokens.prompt_cached is None else tokens.prompt_cached
            generated = "unknown" if tokens.generated is None else tokens.generated
            text.append(
                f"{model} {use}: {computed} prompt tokens computed, {cached} cached, "
                f"{generated} generated{_in_forwards(tokens.forwards)}\n"
            )
    return text.append(_seconds(attempt.seconds))


def _in_forwards(forwards: int | None) -> str:
    """Behind the generated tokens; nothing where it is unknown, or where they had none."""
    return f" in {forwards} forward pass{'es' * (forwards != 1)}" if forwards else ""


def _seconds(seconds: float | None) -> str:
    return f"{seconds:.2f} s" if seconds is not None else "time unknown"
