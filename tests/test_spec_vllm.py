"""Speculative reasoning through real vLLM on the pocket pair."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.engines.settings import EngineSettings
from pipeline.experiment import Experiment
from pipeline.reasoners.settings import StepSettings
from pipeline.resources import pocket_dir
from pipeline.runs import runner
from pipeline.runs.directory import read_attempts

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(
        not (pocket_dir() / "target" / "model.safetensors").exists(),
        reason="the bundled target is not there",
    ),
]
BLOCK = 32


def pair(reasoner: str, **settings) -> Experiment:
    target = EngineSettings("vllm", "pocket-target", process="inprocess", max_num_seqs=16)
    draft = replace(target, model="pocket-draft")
    return Experiment(reasoner, target, draft, token_budget=400, **settings)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spec") / "run"
    runner.run(pair("spec", dataset="pocket-long", problem_range="first:2"), folder)
    return folder


def test_drafts_are_kept_and_rewritten_by_a_real_pair(run: Path) -> None:
    attempts = list(read_attempts(run))
    authors = {step.author for one in attempts for step in one.tracks[0].steps}
    assert [one.status for one in attempts] == ["ok"] * 2
    assert "draft" in authors


def test_a_score_recomputes_little_more_than_its_step(run: Path) -> None:
    for attempt in read_attempts(run):
        [track] = attempt.tracks
        verify = attempt.usage["target"]["verify"]
        drafted = sum((s.draft_tokens or s.tokens) for s in track.steps if s.score is not None)
        judged = sum(step.score is not None for step in track.steps)
        # The question, the block that was not full, the prompt once, and a block per rewrite.
        rewritten = sum(step.author == "target" for step in track.steps)
        assert verify.prompt_new <= drafted + judged * (8 + BLOCK) + 160 + rewritten * BLOCK


def test_drafting_ahead_gives_the_tracks_of_spec_in_float32(run: Path, tmp_path: Path) -> None:
    ahead = pair(
        "spec-async",
        dataset="pocket-long",
        problem_range="first:2",
        sections=(StepSettings(lookahead=2, rewrite_ahead=True),),
    )
    runner.run(ahead, tmp_path / "ahead")
    texts = [
        {one.key: [step.text for step in one.tracks[0].steps] for one in read_attempts(folder)}
        for folder in (run, tmp_path / "ahead")
    ]
    assert texts[0] == texts[1]
