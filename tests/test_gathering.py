"""Requests that begin alike share a row: their texts are those that they have alone."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from grown_rows import MOVES, joined, moved, prompt_of
from hypothesis import given, settings

from pipeline.decoding.gathering import GatheredRows
from pipeline.decoding.prefix_blocks import PrefixBlocks
from pipeline.decoding.proposers.lookup import Lookup
from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.requests import Job
from pipeline.engines.transformers.stepper import Stepper
from pipeline.runs.directory import read_attempts
from speclrm_testing.commands import speclrm

GREEDY = SamplingRequest(max_tokens=20, temperature=0.0, top_p=1.0, seed=0)


@settings(max_examples=40)
@given(moves=MOVES)
def test_texts_that_join_leave_and_keep_unequal_parts_are_as_alone(tiny, moves):
    rows, texts = GatheredRows(tiny), []
    with torch.inference_mode():
        for move, seed in moves:
            chance = torch.Generator().manual_seed(seed)
            draw = lambda most: int(torch.randint(0, most, (1,), generator=chance))  # noqa: B023, E731
            if move == "join" or not texts:
                # Half of them begin as another does, up to anywhere.
                begun = texts[draw(len(texts))] if texts and draw(2) else []
                texts.append(begun[: draw(len(begun) + 1)] + prompt_of(1 + draw(20), seed))
                joined(tiny, rows, texts[-1])
            else:
                moved(tiny, rows, texts, move, draw)
            assert rows.columns <= sum(map(len, texts))
            assert rows.rows <= len(texts)


def test_what_is_common_is_kept_once_and_given_back_with_the_last_that_has_it(tiny):
    rows, common = GatheredRows(tiny), prompt_of(40, 1)
    with torch.inference_mode():
        for one in range(4):
            joined(tiny, rows, [*common, one])
        joined(tiny, rows, prompt_of(30, 2))
        assert (rows.rows, rows.columns) == (2, 44 + 30)
        joined(tiny, rows, [*common, 0])
        assert (rows.rows, rows.columns) == (2, 44 + 30)
        rows.forward([[7]] * 6)
        assert rows.columns == 44 + 30 + 6
        for left in (79, 77, 46, 44, 42):
            rows.leave(0)
            assert rows.columns == left
        assert rows.rows == 1
        rows.leave(0)
        assert (rows.rows, rows.columns) == (0, 0)


def test_memory_does_not_grow_as_texts_come_and_go(tiny):
    rows, common = GatheredRows(tiny), prompt_of(60, 1)
    widths = set()
    with torch.inference_mode():
        joined(tiny, rows, [*common, 250])
        for round_ in range(12):
            joined(tiny, rows, [*common, round_])
            for _ in range(10):
                rows.forward([[1], [2]])
                rows.forget(0, 1)
            rows.leave(1)
            widths.add(rows._cache.keys[0].shape[2])
    assert max(widths) <= 128


def test_texts_that_begin_otherwise_have_rows_of_their_own(tiny):
    rows = GatheredRows(tiny)
    with torch.inference_mode():
        joined(tiny, rows, [1, 2, 3, 4, 5, 6])
        joined(tiny, rows, [1, 2, 9, 9, 9, 9])
        assert rows.rows == 2
        joined(tiny, rows, [1, 2, 3, 9, 9, 9])
        assert rows.rows == 2


def answers(tiny, tokenizer, jobs, *, gather: bool, window: bool) -> list:
    new_rows = (lambda: GatheredRows(tiny)) if gather else None
    stepper = Stepper(tiny, tokenizer, PrefixBlocks(), 6 if gather else 1, new_rows)
    if window:
        stepper.use_windows(6, Lookup)
    for job in jobs:
        stepper.add(job)
    while stepper.busy:
        stepper.step()
    return [job.answer.result(timeout=0)[:4] for job in jobs]


@pytest.mark.parametrize("window", [False, True])
def test_requests_have_the_tokens_that_they_have_alone_with_windows_too(tiny, tiny_model, window):
    tokenizer, common = HFTokenizer.load(str(tiny_model)), prompt_of(90, 1)

    def jobs() -> list[Job]:
        kinds = [GREEDY, replace(GREEDY, temperature=1.0, top_p=0.95)]
        return [
            Job(
                [*common[: 90 - 10 * (number % 3)], *prompt_of(number % 4, number)],
                replace(kinds[number % 2], seed=number, max_tokens=5 + 7 * (number % 4)),
                5 + 7 * (number % 4),
            )
            for number in range(14)
        ]

    alone = answers(tiny, tokenizer, jobs(), gather=False, window=False)
    assert answers(tiny, tokenizer, jobs(), gather=True, window=window) == alone


def texts_of(run: Path) -> dict:
    return {
        attempt.key: [step.text for track in attempt.tracks for step in track.steps]
        for attempt in read_attempts(run)
    }


def test_tracks_of_a_run_are_gathered_and_say_what_they_say_apart(tmp_path, monkeypatch):
    gathered = []
    forward = GatheredRows.forward

    def watched(self, fed):
        gathered.append((len(fed), self.rows))
        return forward(self, fed)

    monkeypatch.setattr(GatheredRows, "forward", watched)
    command = (
        "run parallel --engine transformers --problem-id first:2 --token-budget 40 --tracks 3 "
        "--track-prompts same"
    )
    assert speclrm(f"{command} --output-dir {tmp_path}/apart").code == 0
    assert not gathered
    said = speclrm(f"{command} --max-num-seqs 6 --gather branches --output-dir {tmp_path}/gathered")
    assert said.code == 0, said.err
    assert texts_of(tmp_path / "gathered") == texts_of(tmp_path / "apart")
    assert (6, 2) in gathered
    identity = {
        name: json.loads((tmp_path / name / "run.json").read_text())["identity"]["target"]
        for name in ("apart", "gathered")
    }
    assert "gather" not in identity["apart"]
    assert identity["gathered"] == identity["apart"] | {"gather": "branches"}


@pytest.mark.parametrize("options", ["", "--max-num-seqs 1", "--decoding branches"])
def test_gathering_what_is_not_together_is_refused(tmp_path, options):
    asked = f"run baseline --engine transformers --gather branches {options}"
    said = speclrm(f"{asked} --output-dir {tmp_path}/run")
    assert said.code == 2
    assert "--gather branches has no effect with" in said.sentence
