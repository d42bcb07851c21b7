"""Requests as branches of one sequence: they come as others end, wait where memory is full."""

import itertools
from dataclasses import replace

import pytest
import torch
from grown_rows import MOVES, prompt_of, written
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decoding.branches import Branches
from pipeline.decoding.layout import COLUMNAR, Layout
from pipeline.decoding.prefix_blocks import PrefixBlocks
from pipeline.decoding.sequence_cache import SequenceLayer
from pipeline.engines.branching import Branching
from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.transformers.group_stepper import GroupStepper
from pipeline.engines.transformers.requests import Job
from pipeline.engines.transformers.stepper import Stepper

GREEDY = SamplingRequest(max_tokens=20, temperature=0.0, top_p=1.0, seed=0)


def last_logits(model, ids: list[int]):
    return model(input_ids=torch.tensor([ids])).logits[0, -1]


@settings(max_examples=40)
@given(
    moves=MOVES,
    layout=st.builds(Layout, interleaved=st.booleans(), stride=st.sampled_from([0, 0, 0, 1, 128])),
)
def test_isolated_branches_that_join_leave_and_share_what_they_begin_with_are_as_alone(
    tiny, moves, layout
):
    branches, texts = Branches(tiny, layout), [prompt_of(3, 1)]
    with torch.inference_mode():
        branches.begin(texts)
        for move, seed in moves:
            chance = torch.Generator().manual_seed(seed)
            draw = lambda most: int(torch.randint(0, most, (1,), generator=chance))  # noqa: B023, E731
            if move == "join":
                begun = texts[draw(len(texts))] if draw(2) else []
                texts.append(begun[: draw(len(begun) + 1)] + prompt_of(1 + draw(20), seed))
                logits, shared = branches.join(texts[-1])
                assert shared < len(texts[-1])
                torch.testing.assert_close(
                    logits, last_logits(tiny, texts[-1]), atol=1e-3, rtol=1e-3
                )
            elif move == "leave" and len(texts) > 1:
                gone = draw(len(texts))
                branches.leave(gone)
                texts[gone] = texts[-1]
                texts.pop()
            else:
                fed = [prompt_of(1 + draw(3), draw(2**31)) for _ in texts]
                logits = branches.forward(fed)
                for number, (text, new) in enumerate(zip(texts, fed, strict=True)):
                    text.extend(new)
                    torch.testing.assert_close(
                        logits[number, -1], last_logits(tiny, text), atol=1e-3, rtol=1e-3
                    )
            # Nothing is held that is no branch's, and what is common only once.
            most = sum(map(len, texts))
            assert branches.tokens == most if layout.stride else branches.tokens <= most


def test_what_a_prompt_has_in_common_with_a_branch_is_neither_read_nor_held_twice(tiny):
    common = prompt_of(40, 1)
    with torch.inference_mode():
        branches = Branches(tiny)
        branches.begin([[*common, 1]])
        assert branches.join([*common[:30], 2, 3])[1] == 30
        assert branches.tokens == 41 + 2
        branches.leave(0)
        assert branches.tokens == 32
        assert branches.join([*common, 4])[1] == 30
        assert branches.tokens == 32 + 11


def test_columnar_branches_begin_together(tiny):
    branches = Branches(tiny, Layout(COLUMNAR))
    with torch.inference_mode():
        branches.begin([[1, 2]])
        with pytest.raises(ValueError, match="begin together"):
            branches.join([1, 2])


def jobs_of(count: int = 14, longest: int = 30) -> list[Job]:
    """Requests of all lengths, greedy and drawn, some of which begin alike."""
    common, kinds = prompt_of(30, 1), [GREEDY, replace(GREEDY, temperature=1.0, top_p=0.95)]
    return [
        Job(
            [*common[: longest - 10 * (number % 3)], *prompt_of(1 + number % 4, number)],
            replace(kinds[number % 2], seed=number, max_tokens=5 + 7 * (number % 4)),
            5 + 7 * (number % 4),
        )
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def alone(tiny, tokenizer) -> list[tuple[int, ...] | str]:
    return written(Stepper(tiny, tokenizer, PrefixBlocks()), jobs_of())


def fed_branches(monkeypatch) -> list[int]:
    """How many branches each forward feeds from now on."""
    fed: list[int] = []
    forward = Branches.forward

    def watched(self, tokens):
        fed.append(len(tokens))
        return forward(self, tokens)

    monkeypatch.setattr(Branches, "forward", watched)
    return fed


@pytest.mark.parametrize(
    "branching",
    [Branching(4), Branching(3, interleaved=False), Branching(5, stride=128), Branching(1)],
)
def test_the_next_request_enters_the_sequence_where_one_ends_and_all_are_as_alone(
    tiny, tokenizer, alone, monkeypatch, branching
):
    fed, jobs = fed_branches(monkeypatch), jobs_of()
    stepper = GroupStepper(tiny, tokenizer, branching)
    assert written(stepper, jobs) == alone
    # A request's first token comes from its prompt: the places are filled until none waits.
    expected, waiting = [], [len(one) - 1 for one in alone]
    going: list[int] = []
    while waiting or going:
        while waiting and len(going) < branching.branches:
            going.append(waiting.pop(0))
        expected.append(len(going))
        going = [left - 1 for left in going if left > 1]
    assert fed == expected
    assert stepper.counts.forwards == len(expected)


def test_a_cancelled_request_leaves_its_place_to_the_next_and_changes_no_other(
    tiny, tokenizer, alone
):
    stepper, jobs = GroupStepper(tiny, tokenizer, Branching(3)), jobs_of()
    for job in jobs:
        stepper.add(job)
    for gone in (1, 7, 13):
        stepper.step()
        jobs[gone].answer.cancel()
    while stepper.busy:
        stepper.step()
    kept = [number for number in range(len(jobs)) if number not in {1, 7, 13}]
    assert [jobs[number].answer.result(0).token_ids for number in kept] == [
        alone[number] for number in kept
    ]


@pytest.fixture
def memory(tiny, monkeypatch):
    """Lets the second layer find the memory full where a forward has more tokens than a bound."""
    layer = tiny.model.layers[-1]
    forward = type(layer).forward

    def made(bound: int) -> None:
        def refusing(self, *arguments, attention_mask=None, **named):
            if self is layer and attention_mask is not None and attention_mask.shape[-1] > bound:
                raise torch.OutOfMemoryError("no room")
            return forward(self, *arguments, attention_mask=attention_mask, **named)

        monkeypatch.setattr(type(layer), "forward", refusing)

    return made


@pytest.mark.parametrize("bound", [58, 80, 110])
def test_where_memory_is_full_the_youngest_wait_and_all_are_as_alone(
    tiny, tokenizer, alone, memory, bound
):
    memory(bound)
    told: list[list[int]] = []
    jobs = jobs_of()
    for number, job in enumerate(jobs):
        told.append([])
        sampling = replace(job.sampling, on_token=told[number].append)
        jobs[number] = Job(job.prompt, sampling, job.room)
    stepper = GroupStepper(tiny, tokenizer, Branching(8, stride=1))
    assert written(stepper, jobs) == alone
    assert list(map(tuple, told)) == alone
    assert 1 <= stepper._places < 8


def test_where_there_is_no_room_to_forget_one_that_has_ended_the_others_are_as_alone(
    tiny, tokenizer, alone, monkeypatch
):
    def full(self, tokens):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(SequenceLayer, "keep", full)
    stepper = GroupStepper(tiny, tokenizer, Branching(3))
    assert written(stepper, jobs_of()) == alone
    assert stepper._places == 3


def test_a_request_that_does_not_fit_alone_fails_and_no_other(tiny, tokenizer, alone, memory):
    memory(58)
    jobs = jobs_of()
    jobs.insert(6, Job(prompt_of(60, 2), GREEDY, GREEDY.max_tokens))
    jobs.insert(3, Job(prompt_of(50, 2), GREEDY, GREEDY.max_tokens))
    found = written(GroupStepper(tiny, tokenizer, Branching(4)), jobs)
    failed = [found.pop(7), found.pop(3)]
    assert all("memory is full (no room) with this prompt alone" in one for one in failed)
    assert found == alone


def test_where_memory_is_full_a_group_of_columns_fails_alone_and_says_what_fits(
    tiny, tokenizer, memory
):
    numbers, inner = itertools.count(), tiny.model.rotary_emb
    sizes = (2, 4, 2)

    def jobs() -> list[Job]:
        return [
            replace(job, group=group, answer=type(job.answer)())
            for group, size in zip(numbers, sizes, strict=False)
            for job in jobs_of(size, 20)
        ]

    asked = Branching(4, COLUMNAR)
    whole = written(GroupStepper(tiny, tokenizer, asked), jobs())
    memory(70)
    found = written(GroupStepper(tiny, tokenizer, asked), jobs())
    assert [found[:2], found[6:]] == [whole[:2], whole[6:]]
    for sentence in found[2:6]:
        assert "full (no room) with 72 tokens of a group in it; a branch may come to 50" in sentence
        assert "so 1 fit: lower --branches or --max-new-tokens, or give --max-total" in sentence
    assert tiny.model.rotary_emb is inner


@pytest.mark.parametrize("bound", [60, 90, 150])
def test_branches_have_no_more_tokens_than_the_bound_and_are_as_alone(
    tiny, tokenizer, alone, monkeypatch, bound
):
    stepper = GroupStepper(tiny, tokenizer, Branching(8, total_tokens=bound))
    grow, most = GroupStepper._grow, []

    def watched(self):
        most.append(sum(text.job.most for text in self._texts))
        grow(self)

    monkeypatch.setattr(GroupStepper, "_grow", watched)
    assert written(stepper, jobs_of()) == alone
    assert bound / 2 < max(most) <= bound
