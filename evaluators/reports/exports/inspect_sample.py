"""One attempt as a sample of an Inspect log."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from evaluators.reports.board_columns import model_name
from evaluators.reports.statements import Statement
from evaluators.run_files.attempt_record import AttemptLine, StepLine
from evaluators.run_files.graded_attempts import GradedAttempt
from evaluators.run_files.verdict_rows import Usage, VerdictRow
from evaluators.statistics.metrics import GradedRun

SCORER = "speclrm"
CORRECT = "C"
SCORE_VALUES = {"correct": CORRECT, "wrong": "I", "no_answer": "N", "ungradable": "I"}
"""Inspect's letters; of these only C counts. The verdict's own word is in the score's metadata."""
STOP_REASONS = {"finished": "stop", "budget": "max_tokens", "length": "model_length"}
LIMITS = {"budget": "token", "length": "context"}
UNKNOWN_LIMIT = -1
"""Inspect wants a number; where the run does not say what the limit was, none fits."""
THINK_END = "</think>"
NO_STATEMENT = "(the problem's text is not in the run; export beside its dataset to show it)"
NOT_SHOWN = "(not shown: the dataset's authors ask that examples not be revealed)"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """What a run calls itself and its models, and the budget it had."""

    run: str
    models: Mapping[str, str]
    budget: int | None

    @classmethod
    def of(cls, run: GradedRun) -> "Names":
        """The names in a run's manifest."""
        return cls(
            run=run.name,
            models={role: model_name(model) for role, model in run.models.items()},
            budget=run.identity.token_budget,
        )


def sample(
    attempt: GradedAttempt, names: Names, statements: Mapping[str, Statement], *, hide_text: bool
) -> Json:
    """The sample of an attempt; its epoch is the repeat, from 1 as Inspect counts."""
    line, verdict = attempt.line, attempt.verdict
    problem, repeat = attempt.key
    asked = statements.get(problem)
    text = NOT_SHOWN if hide_text else NO_STATEMENT if asked is None else asked.problem
    stop = verdict.stop
    usage = _usage(verdict.usage)
    began, ended = line.started, _ended(line.started, line.seconds)
    output = _output(line, names.models["target"], stop, hide_text=hide_text)
    messages = [{"role": "user", "content": text, "source": "input"}]
    messages += [choice["message"] for choice in output["choices"]]
    return {
        "id": problem,
        "epoch": repeat + 1,
        "input": text,
        "choices": None if hide_text or asked is None else list(asked.choices) or None,
        "target": verdict.gold,
        "messages": messages,
        "output": output,
        "scores": {SCORER: _score(verdict)},
        "metadata": _metadata(attempt),
        "store": {},
        "events": _tracks(attempt, began, hide_text=hide_text),
        "model_usage": _by_model(verdict.usage or {}, usage, names.models),
        "role_usage": usage,
        "started_at": began,
        "completed_at": ended,
        "total_time": line.seconds,
        "working_time": line.seconds,
        "uuid": hashlib.sha256(f"{names.run}/{problem}/{repeat}".encode()).hexdigest()[:22],
        "error": _error(line, hide_text=hide_text),
        "limit": {"type": LIMITS[stop], "limit": names.budget or UNKNOWN_LIMIT}
        if stop in LIMITS
        else None,
        "attachments": {},
    }


def _output(line: AttemptLine, model: str, stop: str | None, *, hide_text: bool) -> Json:
    response = line.response
    if response is None:
        return {"model": model, "choices": [], "completion": ""}
    text = NOT_SHOWN if hide_text else response
    message = {"role": "assistant", "content": _content(text), "source": "generate", "model": model}
    reason = STOP_REASONS.get(stop or "", "unknown")
    choices = [{"message": message, "stop_reason": reason}]
    return {"model": model, "choices": choices, "completion": text, "time": line.seconds}


def _content(response: str) -> str | list[Json]:
    """Thinking and answer apart, where the response says which is which."""
    thinking, mark, answer = response.partition(THINK_END)
    if not mark:
        return response
    return [{"type": "reasoning", "reasoning": thinking}, {"type": "text", "text": answer}]


def _score(verdict: VerdictRow) -> Json:
    return {
        "value": SCORE_VALUES[verdict.verdict],
        "answer": verdict.extracted,
        "explanation": f"{verdict.verdict}, decided by {verdict.rule}",
        "metadata": {
            "verdict": verdict.verdict,
            "rule": verdict.rule,
            "grader_version": verdict.grader_version,
        },
    }


def _metadata(attempt: GradedAttempt) -> Json:
    """What Inspect has no field for; tokens by use, unknown ones null."""
    line, verdict = attempt.line, attempt.verdict
    vote = line.vote
    return {
        "seed": line.seed,
        "stop": verdict.stop,
        "tracks": len(verdict.tracks),
        "vote": None if vote is None else {"rule": vote.rule, "chosen": vote.chosen},
        "flops": msgspec.to_builtins(verdict.flops),
        "tokens": msgspec.to_builtins(verdict.usage),
    }


def _usage(usage: Usage | None) -> dict[str, Json]:
    """Tokens by role; a role whose tokens nobody counted is left out: here 0 is a count."""
    counted = {}
    for role, uses in (usage or {}).items():
        new = [use.prompt_new for use in uses.values() if use.prompt_new is not None]
        made = [use.generated for use in uses.values() if use.generated is not None]
        if not len(new) == len(made) == len(uses):
            continue
        known = [use.prompt_cached for use in uses.values() if use.prompt_cached is not None]
        counted[role] = {
            "input_tokens": sum(new),
            "output_tokens": sum(made),
            "total_tokens": sum(new) + sum(known) + sum(made),
        }
        if len(known) == len(uses):
            counted[role]["input_tokens_cache_read"] = sum(known)
    return counted


def _by_model(
    roles: Iterable[str], usage: Mapping[str, Json], names: Mapping[str, str]
) -> dict[str, Json]:
    """The same by model, which may have several roles; left out where one is not counted."""
    by_model: dict[str, list[Json | None]] = {}
    for role in roles:
        by_model.setdefault(names.get(role, role), []).append(usage.get(role))
    found = {}
    for model, every in by_model.items():
        counted = [one for one in every if one is not None]
        if len(counted) == len(every):
            shared = [name for name in counted[0] if all(name in one for one in counted)]
            found[model] = {name: sum(one[name] for one in counted) for name in shared}
    return found


def _tracks(attempt: GradedAttempt, began: str | None, *, hide_text: bool) -> list[Json]:
    """A note in the transcript for each track, with its steps."""
    if began is None:
        began = dt.datetime.fromtimestamp(0, dt.UTC).isoformat()
    judged = {track.id: track for track in attempt.verdict.tracks}
    return [
        {
            "event": "info",
            "timestamp": began,
            "working_start": 0.0,
            "source": f"track {track.id}",
            "data": {
                "guidance": track.guidance,
                "stop": track.stop,
                "answer": judged[track.id].extracted,
                "verdict": judged[track.id].verdict,
                "steps": [_step(step, hide_text=hide_text) for step in track.steps],
            },
        }
        for track in attempt.line.tracks
    ]


def _step(step: StepLine, *, hide_text: bool) -> Json:
    return {
        "author": step.author,
        "score": step.score,
        "tokens": step.tokens,
        "text": NOT_SHOWN if hide_text else step.text,
        "draft_text": None if hide_text else step.draft_text,
    }


def _error(line: AttemptLine, *, hide_text: bool) -> Json | None:
    error = line.error
    if error is None:
        return None
    message = error.type if hide_text else error.text
    return {"message": message, "traceback": message, "traceback_ansi": message}


def _ended(began: str | None, seconds: float | None) -> str | None:
    if began is None or seconds is None:
        return None
    try:
        return (dt.datetime.fromisoformat(began) + dt.timedelta(seconds=seconds)).isoformat()
    except (ValueError, OverflowError):  # a line that another program wrote may hold no time there
        return None
