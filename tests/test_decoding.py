"""Windows: whoever guesses, the text is the model's own, token by token; guesses only save time."""

from copy import deepcopy
from dataclasses import replace
from functools import partial
from itertools import cycle

import pytest
import torch
from grown_rows import prompt_of
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, DynamicCache

from pipeline.decoding.prefix_blocks import PrefixBlocks
from pipeline.decoding.proposer import Work
from pipeline.decoding.proposers.assistant import Assistant
from pipeline.decoding.proposers.end_block import EndBlock
from pipeline.decoding.proposers.lookup import LONGEST, Lookup, Places
from pipeline.decoding.proposers.recycled import Recycled
from pipeline.decoding.rows import ManyRows, OneRow
from pipeline.decoding.windows import Counts, grow, guesses_for, step
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.settings import EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.requests import Generated, Job, Text
from pipeline.engines.transformers.stepper import Stepper

GREEDY = SamplingRequest(max_tokens=40, temperature=0.0, top_p=1.0, seed=0)
END = 256


KINDS = [
    GREEDY,
    replace(GREEDY, temperature=0.6, top_p=0.95),
    replace(GREEDY, temperature=1.0),
    replace(GREEDY, temperature=1.5, top_p=0.9, max_tokens=90),
    replace(GREEDY, temperature=1.0, top_p=0.95, stop=("a", "e", "%")),
    replace(GREEDY, temperature=1.0, top_k=20, min_p=0.01, top_p=0.9, presence_penalty=0.5),
    replace(GREEDY, repetition_penalty=1.2, presence_penalty=0.7),
    replace(GREEDY, max_tokens=1, logprobs_of=(48, 49)),
    replace(GREEDY, max_tokens=2),
]


def requests() -> list[Job]:
    """Of all kinds, with prompts that repeat themselves and such that do not."""
    jobs = []
    for number, kind in enumerate(KINDS * 2):
        prompt = prompt_of(1 + 23 * number % 90, number) * (1 + number % 2)
        jobs.append(Job(prompt, replace(kind, seed=number), kind.max_tokens))
    return jobs


def answers(stepper: Stepper, jobs: list[Job]) -> list[Generated]:
    for job in jobs:
        stepper.add(job)
    while stepper.busy:
        stepper.step()
    done = [job.answer.result(timeout=0) for job in jobs]
    work = {"refused": Work(), "assisted": Work(), "forwards": 0, "arrivals": ()}
    return [one._replace(logprobs=None, **work) for one in done]


@pytest.fixture
def writer(tiny, tokenizer):
    return lambda rows: Stepper(tiny, tokenizer, PrefixBlocks(), rows)


@pytest.fixture(scope="module")
def plain(tiny, tokenizer) -> list[Generated]:
    return [answers(Stepper(tiny, tokenizer), [job])[0] for job in requests()]


class Guesser:
    """Guesses what will be written, of which every so manieth token is wrong."""

    def __init__(self, known: dict[tuple[int, ...], tuple[int, ...]], wrong: int) -> None:
        self.known, self.wrong = known, wrong
        self.asked: list[int] = []

    def join(self, text):
        yield from ()

    def leave(self, row) -> None:
        pass

    def propose(self, texts, most):
        self.asked += most
        return [self._guess(text, limit) for text, limit in zip(texts, most, strict=True)]

    def _guess(self, text, limit: int) -> list[int]:
        prompt = tuple(text.job.prompt)
        written = len(text.token_ids) - len(prompt)
        after = self.known[prompt][written : written + limit]
        return [
            (token + (written + place) % self.wrong == 0) % 280
            if (written + place) % self.wrong == 0
            else token
            for place, token in enumerate(after)
        ]

    def learn(self, row, text, refused) -> None:
        assert len(refused) <= 40


@pytest.mark.parametrize(("rows", "window"), [(1, 2), (1, 33), (4, 8), (14, 33)])
@pytest.mark.parametrize("wrong", [1, 3, 10_000])
def test_right_and_wrong_guesses_give_the_tokens_of_single_steps(
    writer, plain, rows, window, wrong
):
    known = {tuple(job.prompt): done.token_ids for job, done in zip(requests(), plain, strict=True)}
    stepper = writer(rows)
    stepper.use_windows(window, lambda: Guesser(known, wrong))
    assert answers(stepper, requests()) == plain
    counts = stepper.counts
    assert counts.forwards <= counts.committed <= counts.computed
    assert counts.committed == sum(len(done.token_ids) - 1 for done in plain)


def test_right_guesses_take_a_window_a_forward_and_no_more_than_may_be_written(
    tiny, tokenizer, plain
):
    longest = max(range(len(plain)), key=lambda n: len(plain[n].token_ids))
    job, done = requests()[longest], plain[longest]
    assert len(done.token_ids) > 9
    guesser = Guesser({tuple(job.prompt): done.token_ids}, 10_000)
    stepper = Stepper(tiny, tokenizer)
    stepper.use_windows(8, lambda: guesser)
    assert answers(stepper, [job]) == [done]
    after_the_first = len(done.token_ids) - 1
    assert stepper.counts.forwards == -(-after_the_first // 8)
    assert stepper.counts.computed == after_the_first
    assert sum(guesser.asked) == after_the_first - stepper.counts.forwards


PROPOSERS = {
    "lookup": lambda model, rows: Lookup(),
    "assistant": lambda model, rows: Assistant(model, rows(model), 288),
    "end block": lambda model, rows: EndBlock(END),
    "recycled": lambda model, rows: Recycled(END),
}


def places(most_rows: int):
    return OneRow if most_rows == 1 else ManyRows


@pytest.mark.parametrize("most_rows", [1, 5])
@pytest.mark.parametrize("name", PROPOSERS)
def test_no_proposer_changes_a_token_at_any_temperature(tiny, tokenizer, plain, name, most_rows):
    stepper = Stepper(tiny, tokenizer, PrefixBlocks(), most_rows)
    stepper.use_windows(6, partial(PROPOSERS[name], tiny, places(most_rows)))
    assert answers(stepper, requests()) == plain
    assert stepper.counts.forwards <= stepper.counts.committed


@pytest.mark.parametrize("name", PROPOSERS)
def test_the_pocket_target_writes_in_windows_what_it_writes_alone(name):
    models = {
        role: AutoModelForCausalLM.from_pretrained(
            with_model_folder(EngineSettings("transformers", f"pocket-{role}")).model
        ).eval()
        for role in ("target", "draft")
    }
    tokenizer = HFTokenizer.of(with_model_folder(EngineSettings("transformers", "pocket-target")))
    texts = [f"Let a={n}, b=a+{n + 9}, c=2*b. Find c." for n in range(3)]
    prompts = [
        tokenizer.encode(tokenizer.render_chat([{"role": "user", "content": one}])) for one in texts
    ]
    kinds = [replace(kind, max_tokens=60) for kind in KINDS[:3]]
    written, forwards = {}, {}
    for windows in (False, True):
        stepper = Stepper(models["target"], tokenizer, PrefixBlocks(), 3)
        if windows:
            make = partial(PROPOSERS[name], models["draft"], ManyRows)
            if name == "assistant":
                make = lambda: Assistant(models["draft"], ManyRows(models["draft"]), 512)  # noqa: E731
            stepper.use_windows(9, make)
        jobs = [Job(prompt, kind, 60) for prompt, kind in zip(prompts, cycle(kinds), strict=False)]
        written[windows] = answers(stepper, jobs)
        forwards[windows] = stepper.counts.forwards
    assert written[True] == written[False]
    assert forwards[True] < forwards[False]


@pytest.mark.parametrize("sampling", KINDS[:4], ids=lambda kind: f"T={kind.temperature}")
def test_an_assistant_that_is_the_model_itself_is_always_right(tiny, tokenizer, sampling):
    stepper = Stepper(tiny, tokenizer)
    stepper.use_windows(5, lambda: Assistant(tiny, OneRow(tiny), 288))
    (done,) = answers(stepper, [Job(prompt_of(30, 1), sampling, 40)])
    assert stepper.counts.forwards == -(-(len(done.token_ids) - 1) // 5)


def read(proposer, text) -> None:
    """Let it join without a pause."""
    for _ in proposer.join(text):
        pass


class Growing:
    """A text whose tokens are given."""

    def __init__(self, prompt: list[int]) -> None:
        self.token_ids, self.room = prompt, 100
        self.refused, self.assisted = Work(), Work()

    def ahead(self):
        return lambda logits: int(torch.argmax(logits))


@settings(max_examples=15)
@given(
    lengths=st.lists(st.integers(2, 20), min_size=2, max_size=3),
    moves=st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=5),
)
def test_an_assistant_guesses_as_one_that_has_just_read_the_text(tiny, lengths, moves):
    texts = [Growing(prompt_of(length, length)) for length in lengths]
    lasting = Assistant(tiny, ManyRows(tiny), 288)
    with torch.inference_mode():
        for text in texts:
            read(lasting, text)
        for number, (kept, leaves) in enumerate(moves):
            most = [4 - row for row in range(len(texts))]
            guesses = lasting.propose(texts, most)
            fresh = Assistant(tiny, ManyRows(tiny), 288)
            for text in texts:
                read(fresh, text)
            assert guesses == fresh.propose(texts, most)
            assert list(map(len, guesses)) == most
            for text, guess in zip(texts, guesses, strict=True):
                text.token_ids = [*text.token_ids, *guess[:kept], *prompt_of(1, number)]
            if leaves and len(texts) > 1:
                lasting.leave(0)
                texts[0] = texts[-1]
                texts.pop()


def test_an_assistant_reads_a_long_prompt_in_pieces_between_which_rows_grow(
    tiny, tokenizer, monkeypatch
):
    monkeypatch.setattr("pipeline.engines.transformers.stepper.PROMPT_TOKENS", 16)
    helper, read, forward = deepcopy(tiny), [], type(tiny).forward

    def watched(self, input_ids, **named):
        if self is helper and input_ids.shape[1] > 3:
            read.append(input_ids.shape[1])
        return forward(self, input_ids=input_ids, **named)

    monkeypatch.setattr(type(tiny), "forward", watched)
    one = Stepper(tiny, tokenizer, PrefixBlocks(block_tokens=8), 2)
    one.use_windows(
        3, lambda: Assistant(helper, ManyRows(helper), 288, PrefixBlocks(block_tokens=8))
    )
    asked = replace(GREEDY, max_tokens=200)
    one.add(Job(prompt_of(4, 1), asked, asked.max_tokens))
    one.step()
    one.add(Job(prompt_of(60, 1), asked, asked.max_tokens))
    [first], steps = one._texts, []
    read.clear()
    while len(one._texts) < 2:
        written, pieces = len(first.token_ids), len(read)
        one.step()
        assert len(first.token_ids) > written
        steps.append(read[pieces:])
    # Besides the eight that the model itself reads before, two in a step.
    assert [piece for step in steps for piece in step] == [8] * 7 + [4]
    assert max(map(len, steps)) == 2


def test_an_assistant_reads_no_more_of_a_prompt_than_no_prompt_before_it_had(tiny):
    """And its guesses are those of one that has read it all."""
    texts = [Growing([*prompt_of(70, 1), *prompt_of(10, number)]) for number in (1, 2)]
    assistant, fresh = (
        Assistant(tiny, OneRow(tiny), 288, PrefixBlocks(block_tokens=16)) for _ in range(2)
    )
    with torch.inference_mode():
        read(assistant, texts[0])
        assistant.leave(0)
        before = assistant.computed, assistant.forwards
        read(assistant, texts[1])
        # Of 79 tokens the first four blocks are kept: two forwards are left.
        assert (assistant.computed - before[0], assistant.forwards - before[1]) == (79 - 64, 1)
        guesses = assistant.propose([texts[1]], [5])
        work = texts[1].assisted
        assert (work.prompt, work.cached) == (79 - 64, 64)
        assert work.attended_prompt == sum(range(65, 80))
        texts[1].assisted = Work()
        read(fresh, texts[1])
        assert guesses == fresh.propose([texts[1]], [5])


def told(tokens: list[int]):
    """Choices that do not depend on logits."""
    coming = cycle(tokens)
    return lambda _logits: next(coming)


@pytest.mark.parametrize("looked_up", [1, 4])
def test_what_an_assistant_looks_up_saves_it_forwards_and_changes_no_guess(
    tiny, monkeypatch, looked_up
):
    texts, found = [Growing([1, 2, 3, 4, 5] * 6) for _ in range(3)], {}
    for text in texts:
        text.ahead = lambda: told([1, 2, 3, 4, 5, 1, 2, 6])
    for most in (0, looked_up):
        monkeypatch.setattr("pipeline.decoding.proposers.assistant.LOOKED_UP", most)
        assistant = Assistant(tiny, ManyRows(tiny), 288)
        with torch.inference_mode():
            for text in texts:
                read(assistant, text)
            found[most] = assistant.propose(texts, [12, 5, 0]), assistant.forwards
    assert found[0][0] == found[looked_up][0]
    assert list(map(len, found[0][0])) == [12, 5, 0]
    # A forward of each for its prompt; then one for all for each token.
    assert found[0][1] == 3 + 12
    assert found[looked_up][1] < 3 + 12


def test_an_assistant_guesses_as_many_tokens_as_are_all_right_in_one_of_three_rounds(tiny):
    text, assistant = Growing(prompt_of(9, 1)), Assistant(tiny, OneRow(tiny), 288)
    made = []
    with torch.inference_mode():
        read(assistant, text)
        for right in (False, False, False, True, False, True, True, True):
            (guess,) = assistant.propose([text], [7])
            made.append(len(guess))
            text.token_ids = [*text.token_ids, 5]
            assistant.learn(0, text, torch.zeros(0 if right else 2, 288))
    assert made == [7, 6, 5, 4, 6, 5, 7, 7]


@pytest.mark.parametrize("earlier", [[], [12], [2]], ids=["none", "wide", "narrow"])
def test_how_many_guesses_a_text_gets_depends_on_no_text_before_it(tiny, earlier):
    assistant, made = Assistant(tiny, OneRow(tiny), 288), []
    with torch.inference_mode():
        for most in earlier:
            text = Growing(prompt_of(9, most))
            read(assistant, text)
            assistant.propose([text], [most])
            assistant.leave(0)
        text = Growing(prompt_of(9, 1))
        read(assistant, text)
        # At first nothing is asked for, as where many rows share a forward.
        for most, right in ((0, True), (4, False), (8, True), (8, True), (8, True)):
            (guess,) = assistant.propose([text], [most])
            made.append(len(guess))
            text.token_ids = [*text.token_ids, 5]
            assistant.learn(0, text, torch.zeros(0 if right else 2, 288))
    assert made == [0, 4, 3, 5, 7]


@pytest.mark.parametrize("width", [200, 288, 400])
def test_an_assistant_may_have_fewer_or_more_logits_than_the_model(tiny, width):
    text, seen = Growing(prompt_of(9, 1)), []
    text.ahead = lambda: lambda logits: seen.append(len(logits)) or int(torch.argmax(logits))
    assistant = Assistant(tiny, OneRow(tiny), width)
    with torch.inference_mode():
        read(assistant, text)
        (guess,) = assistant.propose([text], [3])
    assert seen == [min(width, 288)] * 3
    assert max(guess) < width


TOKENS = st.lists(st.integers(0, 3), min_size=1, max_size=40)


@given(tokens=TOKENS, parts=st.lists(st.integers(1, 9), max_size=8), most=st.integers(1, 6))
def test_lookup_guesses_what_followed_the_last_time(tokens, parts, most):
    places, end = Places(), 0
    for part in parts:
        end = min(end + part, len(tokens))
        places.read(tokens[:end])
    places.read(tokens)
    expected: list[int] = []
    for length in range(min(LONGEST, len(tokens)), 0, -1):
        before = [
            start
            for start in range(len(tokens) - length)
            if tokens[start : start + length] == tokens[-length:]
        ]
        if before:
            expected = tokens[before[-1] + length :][:most]
            break
    assert places.after(tokens, most) == expected


def test_an_end_block_guesses_the_end_and_then_what_the_model_made_of_it():
    block, text = EndBlock(END), Growing([5, 6])
    read(block, text)
    assert block.propose([text], [3]) == [[END] * 3]
    refused = torch.eye(9)[[7, 8]]
    block.learn(0, text, refused)
    assert block.propose([text], [4]) == [[7, 8, END, END]]
    assert block.propose([text], [1]) == [[7]]
    block.learn(0, text, refused[:0])
    assert block.propose([text], [2]) == [[END] * 2]


def test_recycled_runs_are_found_by_the_token_before_them():
    recycled, text = Recycled(END), Growing([1, 2, 3, 1])
    read(recycled, text)
    assert recycled.propose([text], [4]) == [[2, 3, 1, END]]
    text.token_ids = [1, 2, 3, 1, 4]
    recycled.learn(0, text, torch.eye(9)[[7, 8]])
    assert recycled.propose([text], [3]) == [[7, 8, END]]
    text.token_ids = [*text.token_ids, 7]
    assert recycled.propose([text], [2]) == [[8, END]]


@pytest.mark.parametrize(
    ("window", "rows", "together", "guesses"),
    [(8, 1, 64, 7), (8, 8, 64, 7), (8, 16, 64, 3), (8, 32, 64, 1), (8, 64, 64, 0), (8, 99, 64, 0),
     (2, 1, 512, 1), (100, 1, 64, 63)],
)  # fmt: skip
def test_the_more_rows_there_are_the_fewer_guesses_each_is_fed(window, rows, together, guesses):
    assert guesses_for(window, rows, together) == guesses


def attended(fed: list[tuple[int, int]]) -> int:
    """The positions that tokens see, given how many come before, and how many they are."""
    return sum(before + place + 1 for before, tokens in fed for place in range(tokens))


@given(fed=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), max_size=4))
def test_work_counts_each_token_and_all_that_it_sees(fed):
    work = Work()
    for before, tokens in fed:
        work.feed(before, tokens)
    assert (work.fed, work.attended) == (sum(n for _, n in fed), attended(fed))
    work.read(9, 2)
    assert (work.prompt, work.cached, work.attended_prompt) == (7, 2, sum(range(3, 10)))


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("name", PROPOSERS)
def test_what_one_row_computes_is_written_refused_or_the_assistants_and_more_rows_fill_up(
    writer, tiny, rows, name
):
    stepper, jobs = writer(rows), requests()
    stepper.use_windows(6, partial(PROPOSERS[name], tiny, places(rows)))
    for job in jobs:
        stepper.add(job)
    while stepper.busy:
        stepper.step()
    done = [job.answer.result(timeout=0) for job in jobs]
    written = sum(len(one.token_ids) - 1 for one in done)
    refused = sum(one.refused.fed for one in done)
    assisted = sum(one.assisted.fed + one.assisted.prompt for one in done)
    filled = (
        stepper.counts.computed - written - refused,
        getattr(stepper.proposer, "computed", 0) - assisted,
    )
    assert min(filled) >= 0
    if rows == 1:
        assert filled == (0, 0)


@pytest.mark.parametrize("name", ["lookup", "assistant", "end block"])
def test_what_a_text_costs_does_not_depend_on_the_rows_beside_it(writer, tiny, name):
    def costs(jobs: list[Job], rows: int) -> list[tuple[Work, Work, int]]:
        stepper = writer(rows)
        stepper.use_windows(6, partial(PROPOSERS[name], tiny, ManyRows))
        for job in jobs:
            stepper.add(job)
        while stepper.busy:
            stepper.step()
        done = [job.answer.result(timeout=0) for job in jobs]
        return [(one.refused, one.assisted, one.forwards) for one in done]

    alone = [costs([job], 1)[0] for job in requests()]
    assert costs(requests(), 4) == alone


class Ragged:
    """A text that chooses as told, and ends where told."""

    def __init__(self, prompt: int, choices: list[int]) -> None:
        self.token_ids, self.choices, self.room = [0] * prompt, choices, 99
        self.refused, self.assisted = Work(), Work()

    def grow(self, logits) -> int:
        self.token_ids.append(self.choices.pop(0))
        return self.token_ids[-1]


def test_what_was_refused_is_counted_where_it_stood_and_what_fills_a_row_up_is_in_no_text(tiny):
    rows, counts = ManyRows(tiny), Counts()
    texts = [Ragged(5, [1, 2, 9]), Ragged(8, [7])]
    with torch.inference_mode():
        for text in texts:
            cache = DynamicCache(config=tiny.config)
            tiny(input_ids=torch.tensor([text.token_ids[:-1]]), past_key_values=cache)
            rows.join(cache, text.token_ids[:-1])
        step(rows, texts, [[1, 2, 3, 4], [5]], counts)
    # The first row was fed 5 tokens after 4 others, and kept 3; the second 2, and kept 1.
    assert (texts[0].refused.fed, texts[0].refused.attended) == (2, attended([(7, 2)]))
    assert (texts[1].refused.fed, texts[1].refused.attended) == (1, attended([(8, 1)]))
    assert (counts.forwards, counts.computed, counts.committed) == (1, 10, 4)


class Scripted:
    """A text that chooses as told, and ends where told."""

    def __init__(self, choices: list[int], room: int) -> None:
        self.choices, self.room, self.token_ids = iter(choices), room, [0]

    def grow(self, logits) -> int:
        self.room -= 1
        self.token_ids.append(next(self.choices))
        return self.token_ids[-1]


@pytest.mark.parametrize(
    ("guesses", "choices", "room", "written"),
    [
        ([], [5], 9, [5]),
        ([5, 6], [5, 6, 7], 9, [5, 6, 7]),
        ([5, 6], [5, 7, 6], 9, [5, 7]),
        ([5, 6], [4, 5, 6], 9, [4]),
        ([5, 6], [5, 6, 7], 2, [5, 6]),
        ([5, 6], [5, 6, 7], 1, [5]),
    ],
)
def test_what_is_kept_is_the_longest_right_prefix_and_one_more_unless_the_text_ends(
    guesses, choices, room, written
):
    text = Scripted(choices, room)
    assert grow(text, guesses, torch.zeros(len(guesses) + 1, 9)) == len(written)
    assert text.token_ids[1:] == written


def test_looking_ahead_takes_nothing_from_the_draws(tokenizer):
    job = Job([1, 2], replace(GREEDY, temperature=1.0, seed=4), 30)
    logits = torch.randn(20, 288, generator=torch.Generator().manual_seed(1))
    text, twin = (Text(job, tokenizer, 0, logits[0]) for _ in range(2))
    ahead = text.ahead()
    foreseen = [ahead(row) for row in logits[1:]]
    assert [text.grow(row) for row in logits[1:]] == foreseen
    assert [twin.grow(row) for row in logits[1:]] == foreseen


def test_a_cache_is_left_as_long_as_the_text(tiny):
    with torch.inference_mode():
        cache = DynamicCache(config=tiny.config)
        tiny(input_ids=torch.tensor([[1, 2, 3]]), past_key_values=cache)
        row = OneRow(tiny)
        row.join(cache, [1, 2, 3])
        row.forward([[4, 5, 6, 7]])
        row.forget(0, 3)
        assert cache.get_seq_length() == 4
        row.forget(0, 0)
        assert cache.get_seq_length() == 4
