"""Defects D1 to D15 of the SSR scripts, each by what shows that it is not here.

D1 is A12; those that other tests already hold stand in `test_anchor_list.py`.
"""

import asyncio
import json
from dataclasses import replace

import pytest
from spec_world import StepSettings, TrackSettings, Watched, World, telling, three_tracks

from evaluators import grade
from pipeline import grade_run
from pipeline.engines.scripted.engine import ScriptedEngine
from pipeline.engines.settings import EngineSettings
from pipeline.engines.vllm.engine import VllmEngine
from pipeline.errors import RunStopped
from pipeline.problems.problem_set import load_problems
from pipeline.reasoners import REASONERS
from pipeline.runs import runner
from pipeline.runs.directory import read_attempts
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place

CLOSING = ("one\n\n", "two\n\n", "</think>\n\n\\boxed{7}")
LOW_MEAN = (0.3, 0, 0, 0, 0, 0, 0, 0, 0.2, 0.5)
HIGH_MEAN = (0, 0, 0, 0, 0.1, 0, 0.4, 0.0, 0.1, 0.4)


@pytest.fixture
def place(tmp_path):
    return Place.made(tmp_path)


@pytest.mark.parametrize(
    ("digits", "method", "author"),
    [
        (LOW_MEAN, "greedy", "draft"),
        (LOW_MEAN, "average", "target"),
        (HIGH_MEAN, "average", "draft"),
    ],
)
async def test_d2_the_average_decides_by_the_expected_digit(digits, method, author):
    judge = tuple(share + 1e-12 for share in digits)
    world = World(target=telling(*CLOSING), draft=telling(*CLOSING), digits=lambda _: judge)
    track = await world.track(steps=StepSettings(score_method=method))
    mean = sum(digit * share for digit, share in enumerate(digits))
    assert {step.author for step in track.steps} == {author}
    assert method == "greedy" or track.steps[0].score == pytest.approx(mean, abs=1e-5)


GPQA = [
    {
        "Question": f"Which one is number {number:02}?",
        "Correct Answer": f"right {number}",
        **{f"Incorrect Answer {n}": f"wrong {number} {n}" for n in (1, 2, 3)},
        "Record ID": f"rec{number}",
    }
    for number in range(12)
]


@pytest.mark.parametrize("reasoner", ["baseline", "spec-methods"])
def test_d3_multiple_choice_is_shuffled_asked_with_methods_and_graded(tmp_path, reasoner):
    data = tmp_path / "gpqa.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in GPQA))
    problems = load_problems("gpqa", data, seed=0, refs_dir=tmp_path).problems
    rules = [
        {"when": row["Question"], "text": f"\\boxed{{{problem.answer}}}", "score": 9}
        for row, problem in zip(GPQA, problems, strict=True)
    ]
    (tmp_path / "script.json").write_text(json.dumps({"rules": rules}))
    script = f"--engine scripted --script {tmp_path / 'script.json'}"
    draft = f"--draft-script {tmp_path / 'script.json'}" * REASONERS[reasoner].uses_draft
    run = tmp_path / "run"
    options = f"--dataset gpqa --data-file {data} --output-dir {run}"
    assert speclrm(f"run {reasoner} {options} {script} {draft}").code == 0
    assert len({problem.answer for problem in problems}) > 1
    assert grade_run(run).counts == {"correct": len(GPQA)}


def test_d4_the_verdicts_of_all_reasoners_have_the_same_fields_and_are_right(place):
    rows = []
    for reasoner in REASONERS:
        place.speclrm(reasoner, "--problem-id first:2")
        assert grade_run(place.run(reasoner)).counts == {"correct": 2}
        text = (place.run(reasoner) / "verdicts.jsonl").read_text()
        rows += [json.loads(line) for line in text.splitlines()]
    assert len({tuple(row) for row in rows}) == 1
    assert {row["extracted"] for row in rows} == {"1", "2"}


@pytest.mark.parametrize(
    ("kind", "answer", "gold", "same"),
    [
        ("latex", "-5", "5", False),
        ("latex", "1/2", "12", False),
        ("latex", "3\\sqrt{15}", "315", False),
        ("latex", "\\dfrac{1}{2}", "\\frac12", True),
        ("latex", "0.5", "\\frac{1}{2}", True),
        ("latex", "2\\sqrt{2}", "\\sqrt{8}", True),
        ("latex", "\\{2, 1\\}", "\\{1, 2\\}", True),
        ("latex", "(1, 2)", "(2, 1)", False),
        ("latex", "[0, 1)", "[0, 1]", False),
        ("integer", "25", "025", True),
        ("integer", "25.5", "025", False),
        ("choice", "C", "C", True),
        ("choice", "C", "B", False),
    ],
)
def test_d5_answers_are_compared_as_mathematics_not_as_digits(kind, answer, gold, same):
    assert grade(f"so \\boxed{{{answer}}}", gold, kind).correct is same


class Timed(Watched):
    """An engine whose clock says a hundredth of a second for each token."""

    async def complete(self, ids, sampling):
        done = await super().complete(ids, sampling)
        return replace(done, seconds=len(done.token_ids) / 100)


async def test_d13_every_track_has_its_own_time_not_that_of_the_batch():
    def author(prompt, seed):
        return "x" * (seed % 90) + "\\boxed{1}"

    world = World(target=author)
    world.target = Timed(world.target.engine._script)
    outcome = await world.reason("parallel", three_tracks())
    steps = [track.steps[0] for track in outcome.tracks]
    assert len({step.tokens for step in steps}) == 3
    assert [step.seconds for step in steps] == [step.tokens / 100 for step in steps]


@pytest.mark.parametrize("whose", ["target", "draft"])
def test_d14_an_engine_that_does_not_start_says_why_and_leaves_no_attempt(
    place, monkeypatch, whose
):
    began = ScriptedEngine.start

    async def start(engine):
        if engine._settings.script.name == f"{whose}.json":
            raise RunStopped("vLLM does not start: out of memory; its log is engine.log")
        await began(engine)

    monkeypatch.setattr(ScriptedEngine, "start", start)
    said = place.speclrm("spec")
    assert (said.code, "out of memory; its log is engine.log" in said.sentence) == (3, True)
    assert "Traceback" not in said.err
    assert place.attempts("spec") == []


def test_d14_what_vllm_says_when_it_does_not_start_is_passed_on():
    engine = VllmEngine(EngineSettings("vllm", "m"))
    told = engine._start_failure(RuntimeError("No available memory for the cache blocks"))
    assert isinstance(told, RunStopped)
    assert "the model m: No available memory for the cache blocks" in str(told)


class Crowded(ScriptedEngine):
    """An engine that counts the requests that are in it at the same time."""

    inside = most = 0

    async def complete(self, prompt_token_ids, sampling):
        Crowded.inside += 1
        Crowded.most = max(Crowded.most, Crowded.inside)
        try:
            for _ in range(20):
                await asyncio.sleep(0)
            return await super().complete(prompt_token_ids, sampling)
        finally:
            Crowded.inside -= 1


def test_d15_tracks_of_many_problems_are_in_the_engine_together(place, monkeypatch):
    monkeypatch.setattr(Crowded, "most", 0)
    monkeypatch.setattr(runner, "create", Crowded)
    place.speclrm("spec-methods", "--concurrency 6 --method-num 2 --problem-id first:6")
    tracks = {len(attempt.tracks) for attempt in read_attempts(place.run("spec-methods"))}
    assert tracks == {2}
    assert Crowded.most > 2 * 2


async def test_d7_a_track_of_drafts_ahead_stops_for_a_reason_and_has_its_vote():
    steps = (*(f"step {n}\n\n" for n in range(20)), "\\boxed{7}")
    world = World(draft=telling(*steps))
    settings = TrackSettings(tracks=2)
    outcome = await world.reason("spec-async", settings, StepSettings(lookahead=2))
    assert [track.stop for track in outcome.tracks] == ["finished"] * 2
    assert [len(track.steps) for track in outcome.tracks] == [21] * 2
    assert (outcome.answer, outcome.vote.classes) == ("7", (("0", "1"),))
