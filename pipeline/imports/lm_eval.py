"""Samples of lm-evaluation-harness: `samples_*.jsonl`, as `--log_samples` writes them.

A line is one problem under one filter, with all its responses; the same responses come again for
every other filter. A line says neither how many tokens were generated, nor how long it took, nor
why the text ended.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import UserMistake
from pipeline.imports.entries import Entry, Settings, Solved, corrupt, files_under
from pipeline.imports.fields import CorruptEntry, Fields, clean
from pipeline.problems.problem_set import Problem, ProblemSet
from pipeline.records import Step, Track

STATEMENTS = ("problem", "question", "Problem", "Question", "input", "prompt")
"""Where tasks of the harness keep the problem's text."""
NAMES = ("id", "ID", "problem_id", "unique_id", "Record ID", "problem_idx")
"""Where they keep its name."""
CHOICES = ("choice1", "choice2", "choice3", "choice4")
"""The harness's GPQA tasks write the shuffled choices into these."""
MOST_RESPONSES = 10_000
"""Each becomes an attempt that is written on its own."""
HUB_SEPARATOR = "__"
"""How the harness writes the slash of a model's name into a folder's."""


def entries(paths: tuple[Path, ...], problems: ProblemSet) -> Iterator[Entry]:
    """The attempts in the harness's samples, one for each response.

    Raises:
        UserMistake: a file is missing or is no JSONL, a line holds no generated text, or its
            problem is not in the dataset.
    """
    index = _Index(problems)
    for file in files_under(paths, "samples_*.jsonl"):
        seen: dict[str, list[Any]] = {}
        for where, line in _lines(file):
            problem = index.problem_of(line, where)
            responses = line.get("resps")
            # The same responses under another filter are no new attempts.
            if seen.get(problem.problem_id) == responses and responses is not None:
                continue
            seen[problem.problem_id] = responses if isinstance(responses, list) else []
            yield from _entries_of(line, problem.problem_id, where, file)


def _entries_of(line: Mapping[str, Any], problem: str, where: str, file: Path) -> Iterator[Entry]:
    try:
        texts = _texts(line.get("resps"), where)
        settings, choices = _settings(line, file), _choices(line)
    except CorruptEntry as error:
        yield corrupt(where, problem, 0, error)
        return
    for repeat_id, text in enumerate(texts):
        step = Step(text=text, author="target", tokens=None, seconds=None, finish=None)
        track = Track(id="0", steps=(step,), stop=None, answer=None)
        solved = Solved(settings, (track,), None, text, None, None, choices)
        yield Entry(where, problem, repeat_id, solved)


class _Index:
    """Our problems by their text and by their names."""

    def __init__(self, problems: ProblemSet) -> None:
        self._dataset = problems.name
        self._by_text: dict[str, Problem | None] = {}
        self._by_name: dict[str, Problem] = {}
        for problem in problems.problems:
            text = _plain(problem.problem)
            # A text that two problems share names neither.
            self._by_text[text] = None if text in self._by_text else problem
            for name in (problem.problem_id, problem.record_id, *problem.aliases):
                self._by_name[name] = problem

    def problem_of(self, line: Mapping[str, Any], where: str) -> Problem:
        """Our problem that a line is about: by its text, else by its name, never by its place.

        Raises:
            UserMistake: it is none of ours.
        """
        doc = line.get("doc")
        if isinstance(doc, dict):
            texts = (doc.get(name) for name in STATEMENTS)
            for text in texts:
                found = self._by_text.get(_plain(text)) if isinstance(text, str) else None
                if found is not None:
                    return found
            names = (str(doc[name]) for name in NAMES if name in doc)
            for name in names:
                if name in self._by_name:
                    return self._by_name[name]
        raise UserMistake(
            f"{where} is about a problem that is not in {self._dataset}, by its text and by its "
            "id; name the dataset that was run with --dataset, or its rows with --data-file."
        )


def _plain(text: str) -> str:
    return " ".join(text.split())


def _lines(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 0
    try:
        with file.open(encoding="utf-8") as lines:
            for number, text in enumerate(lines, start=1):
                if text.strip():
                    yield f"{file}:{number}", _object(text)
    except (ValueError, RecursionError) as error:
        raise UserMistake(
            f"{file}:{number} is not a sample of lm-evaluation-harness ({error}); "
            "correct the line, or remove it."
        ) from error


def _object(text: str) -> dict[str, Any]:
    line = json.loads(text)
    if not isinstance(line, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - as all that is no sample
    return line


def _texts(responses: Any, where: str) -> list[str]:
    """The generated texts of a line: one inner list, an item for each repeat."""
    if not isinstance(responses, list) or not responses or not isinstance(responses[0], list):
        raise CorruptEntry(f"{where} has no responses")
    if isinstance(responses[0][0] if responses[0] else None, list):
        raise UserMistake(
            f"{where} holds log-likelihoods of given choices and no generated text, so there is "
            "no answer to grade; import a generative task of the harness."
        )
    if len(responses) > 1 or not responses[0]:
        raise CorruptEntry(f"{where} has responses to {len(responses)} requests, not to one")
    if len(responses[0]) > MOST_RESPONSES:
        raise UserMistake(
            f"{where} has {len(responses[0]):,} responses to one problem, and a run holds at most "
            f"{MOST_RESPONSES:,}; split the line, or remove responses."
        )
    if not all(isinstance(text, str) for text in responses[0]):
        raise CorruptEntry(f"{where} has a response that is not text")
    return [clean(text) for text in responses[0]]


def _settings(line: Mapping[str, Any], file: Path) -> Settings:
    where = str(file)
    request = Fields(_generation(line.get("arguments")), where)
    folder = clean(file.resolve().parent.name)
    model = folder.replace(HUB_SEPARATOR, "/", 1) if HUB_SEPARATOR in folder else None
    return Settings(
        reasoner="baseline",
        model=model,
        temperature=request.number("temperature"),
        top_p=request.number("top_p"),
        token_budget=request.count("max_gen_toks"),
    )


def _generation(arguments: Any) -> dict[Any, Any]:
    """The settings of a line's request, which the harness has written in two shapes."""
    if isinstance(arguments, dict):
        arguments = list(arguments.values())
    first = arguments[0] if isinstance(arguments, list) and arguments else None
    if isinstance(first, dict):
        first = list(first.values())
    if isinstance(first, list) and len(first) > 1 and isinstance(first[1], dict):
        return first[1]
    return {}


def _choices(line: Mapping[str, Any]) -> tuple[str, ...] | None:
    doc = Fields.of(line.get("doc"), "doc")
    if not doc.has(CHOICES[0]):
        return None
    return tuple(doc.text(name) for name in CHOICES)
