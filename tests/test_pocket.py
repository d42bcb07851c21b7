# ruff: noqa: S311 - seeded problems, no secrets
import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.pocket import mining, prompts, rows
from pipeline.pocket.measure import auroc
from pipeline.pocket.mistakes import wrong_step
from pipeline.pocket.problems import KINDS, Difficulty, Problem, make_problem, split_of
from pipeline.pocket.sequences import RIGHT, SCORING, SOLVING, WRONG, Layout
from pipeline.pocket.step_checker import Question, check_step, next_steps
from pipeline.pocket.tokenizer import build_tokenizer
from pipeline.pocket.train import MINED_SHARE, RECIPES, Settings, Trainer, draw
from pipeline.resources import pocket_dir

DATASETS = Path(__file__).parents[1] / "datasets"
DRAFT = pocket_dir() / "draft"
TOKENIZER = build_tokenizer()
CHAIN = Question("Let a=7, b=a+5, c=3b, d=c-a, e=d/6. Find e.")
B, C = "b=a+5, a=7, b=12", "c=3b, b=12, c=36"
D, E = "d=c-a, c=36, a=7, d=29", "e=d/6, d=29, e=29/6"
CHOICE = Question("Let a=7, b=a+5. Find b.", ("15", "12", "9", "8"))
EQUATION = Question("Solve 6x+5=9.")
TWO_SIDED = Question("Solve 5x+3=2x+7.")
SUM = Question("Find 1/2+1/6.")


def drawn(seed: int, split: str = "training") -> Problem:
    rng = random.Random(seed)
    difficulty = {0: rows.LONG, 1: rows.HARD}.get(seed % 5, Difficulty())
    return make_problem(rng, rng.choice(KINDS), difficulty, split)


@pytest.mark.parametrize(
    ("question", "earlier", "step"),
    [
        (CHAIN, [], B),
        (CHAIN, [B], C),
        (CHAIN, [B, C], D),
        (CHAIN, [B, C, D], E),
        (CHAIN, [B, C, D, E], "\\boxed{\\frac{29}{6}}"),
        (CHOICE, [B], "b is 12: (A) 15 no, (B) 12 yes"),
        (CHOICE, [B, "b is 12: (A) 15 no, (B) 12 yes"], "</think>\n\n\\boxed{B}"),
        (EQUATION, [], "6x=9-5=4"),
        (EQUATION, ["6x=9-5=4"], "x=4/6=2/3"),
        (TWO_SIDED, [], "5x-2x=3x"),
        (TWO_SIDED, ["5x-2x=3x"], "3x=7-3=4"),
        (TWO_SIDED, ["5x-2x=3x", "3x=7-3=4"], "x=4/3"),
        (TWO_SIDED, ["5x-2x=3x", "3x=7-3=4", "x=4/3"], "\\boxed{\\frac{4}{3}}"),
        (SUM, [], "1/2=3/6"),
        (SUM, ["1/2=3/6", "1/6=1/6"], "3/6+1/6=4/6"),
        (SUM, ["1/2=3/6", "1/6=1/6", "3/6+1/6=4/6"], "4/6=2/3"),
    ],
)
def test_a_right_step_is_right(question: Question, earlier: list[str], step: str) -> None:
    assert check_step(question, earlier, step)


@pytest.mark.parametrize(
    ("question", "earlier", "step"),
    [
        pytest.param(CHAIN, [], "b=a+5, a=7, b=13", id="arithmetic"),
        pytest.param(CHAIN, [], "b=a+5, a=8, b=13", id="wrong look-up"),
        pytest.param(CHAIN, [], "b=a+6, a=7, b=13", id="definition copied wrongly"),
        pytest.param(CHAIN, [], "b=a+5, b=12", id="value not restated"),
        pytest.param(
            CHAIN,
            [B, C],
            "d=c-b, c=36, b=12, d=24",
            id="definition of another",
        ),
        pytest.param(CHAIN, [], C, id="jump"),
        pytest.param(CHAIN, [B], B, id="repetition"),
        pytest.param(CHAIN, [B], "\\boxed{12}", id="early answer"),
        pytest.param(CHAIN, ["nonsense"], C, id="unreadable step before"),
        pytest.param(CHAIN, [], "b=__import__('os')", id="code"),
        pytest.param(CHAIN, [], "", id="empty"),
        pytest.param(CHOICE, [B], "b is 12: (A) 15 yes", id="wrong letter"),
        pytest.param(CHOICE, [B, "b is 12: (A) 15 no, (B) 12 yes"], "\\boxed{C}", id="wrong box"),
        pytest.param(
            CHOICE,
            ["b=a+5, a=7, b=13"],
            "b is 12: (A) 15 no, (B) 12 yes",
            id="not what was computed",
        ),
        pytest.param(EQUATION, ["6x=9-5=4"], "x=4/6", id="not reduced"),
        pytest.param(EQUATION, ["6x=9-5=4"], "x=4/6=3/2", id="reduced wrongly"),
        pytest.param(SUM, ["1/2=3/0", "1/6=1/0"], "3/0+1/0=4/0", id="division by zero"),
        pytest.param(Question("Why?"), [], B, id="unreadable problem"),
    ],
)
def test_a_wrong_step_is_wrong(question: Question, earlier: list[str], step: str) -> None:
    assert not check_step(question, earlier, step)


def test_a_step_is_judged_by_what_the_steps_before_it_state() -> None:
    assert check_step(CHAIN, ["b=a+5, a=7, b=13"], "c=3b, b=13, c=39")


@given(earlier=st.lists(st.text(max_size=20), max_size=3), step=st.text(max_size=30))
def test_any_text_can_be_judged(earlier: list[str], step: str) -> None:
    for question in (CHAIN, CHOICE, EQUATION, TWO_SIDED, SUM):
        assert check_step(question, earlier, step) in {True, False}


@given(statement=st.from_regex(r"(Let a=\d{1,3}, b=[a-z0-9/+*-]{1,6}|Solve \d{1,3}x).{0,9}\.?"))
def test_any_statement_can_be_judged(statement: str) -> None:
    assert not check_step(Question(statement), ["b=a+1, a=1, b=1/0"], "b=1")


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6))
def test_reference_steps_are_the_only_right_ones_in_their_places(seed: int) -> None:
    problem = drawn(seed)
    steps = (*problem.steps, problem.answer_step)
    for index, step in enumerate(steps):
        assert next_steps(problem.question, steps[:index]) == {step}


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6))
def test_altered_steps_are_wrong(seed: int) -> None:
    problem = drawn(seed)
    for index in range(len(problem.steps) + 1):
        step = wrong_step(random.Random(seed), problem, index)
        assert not check_step(problem.question, problem.steps[:index], step)


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6))
def test_options_end_in_different_digits_and_hold_the_right_one_once(seed: int) -> None:
    rng = random.Random(seed)
    problem = make_problem(rng, "choice", Difficulty(), "training")
    assert len({text[-1] for text in problem.question.choices}) == 4
    value = problem.steps[-1].split(" ")[2].rstrip(":")
    assert problem.question.choices.index(value) == "ABCD".index(problem.answer)


@pytest.mark.parametrize(
    ("name", "rendered"),
    [
        ("pocket", rows.ordinary_rows),
        ("pocket-long", rows.long_rows),
        ("pocket-hard", rows.hard_rows),
    ],
)
def test_the_bundled_rows_are_what_the_generator_makes(name: str, rendered: object) -> None:
    assert callable(rendered)
    assert (DATASETS / f"{name}.jsonl").read_text() == rendered()


def test_no_bundled_problem_can_come_out_of_the_training_stream() -> None:
    bundled = rows.read_rows(rows.ordinary_rows() + rows.long_rows() + rows.hard_rows())
    assert {split_of(problem.question.statement) for problem in bundled} == {"test"}


def test_no_statement_is_bundled_twice() -> None:
    bundled = rows.read_rows(rows.ordinary_rows() + rows.long_rows() + rows.hard_rows())
    assert len({problem.question.statement for problem in bundled}) == len(bundled)


def test_hard_rows_can_be_drawn_of_validation_problems_to_choose_their_difficulty_on() -> None:
    drawn = rows.read_rows(rows.hard_rows("validation", 18))
    assert {split_of(problem.question.statement) for problem in drawn} == {"validation"}
    assert [len(problem.steps) for problem in drawn] == [5, 5, 5, 8, 8, 8, 11, 11, 11] * 2


@given(seed=st.integers(0, 10**6))
def test_training_problems_are_never_test_problems(seed: int) -> None:
    assert split_of(drawn(seed).question.statement) == "training"


def test_long_problems_take_ten_to_fifteen_steps() -> None:
    counts = {len(problem.steps) for problem in rows.read_rows(rows.long_rows())}
    assert counts <= set(range(10, 16))


def test_every_level_of_the_hard_problems_has_as_many_of_each_kind() -> None:
    lines = [json.loads(line) for line in rows.hard_rows().splitlines()]
    assert Counter((row["level"], row["kind"]) for row in lines) == {
        (level, kind): 30 for level in (5, 8, 11) for kind in KINDS
    }
    assert all(row["level"] == len(row["steps"]) for row in lines)


def test_the_checker_leads_through_every_hard_problem_to_its_answer() -> None:
    for problem in rows.read_rows(rows.hard_rows()):
        steps = (*problem.steps, problem.answer_step)
        for index, step in enumerate(steps):
            assert next_steps(problem.question, steps[:index]) == {step}


def test_hard_problems_refer_back_more_and_count_further_than_the_ordinary_ones() -> None:
    def share_of_back_references(problems: Sequence[Problem]) -> float:
        steps = [step for problem in problems for step in problem.steps]
        return sum(step.count(", ") == 3 and " is " not in step for step in steps) / len(steps)

    hard = rows.read_rows(rows.hard_rows())
    ordinary = rows.read_rows(rows.ordinary_rows())
    assert share_of_back_references(hard) > 3 * share_of_back_references(ordinary)
    steps = [step for problem in hard for step in problem.steps]
    values = [int(value) for step in steps for value in re.findall(r"[a-z]=(\d+)", step)]
    assert 99 < max(values) == rows.HARD.largest


def test_the_first_rows_show_every_kind() -> None:
    kinds = [problem.kind for problem in rows.read_rows(rows.ordinary_rows())[:30]]
    assert kinds == list(KINDS) * 10


@given(text=st.text())
def test_any_text_survives_the_tokenizer(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text, add_special_tokens=False)) == text


@pytest.mark.parametrize("text", ["7", "\n\n", "</think>", "<think>", "q", " substitution"])
def test_protocol_pieces_are_single_tokens(text: str) -> None:
    assert len(TOKENIZER.encode(text, add_special_tokens=False)) == 1


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_the_score_question_appends_to_a_step_token_by_token(seed: int) -> None:
    steps = "\n\n".join((*drawn(seed).steps, ""))
    parts = [steps, prompts.score_prompt()]
    apart = [i for part in parts for i in TOKENIZER.encode(part, add_special_tokens=False)]
    assert TOKENIZER.encode("".join(parts), add_special_tokens=False) == apart


def test_the_chat_template_opens_thinking_and_keeps_earlier_thinking() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "<think>\nx\n\n</think>\n\ny"},
        {"role": "user", "content": "Again"},
    ]
    text = TOKENIZER.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert "<think>\nx\n\n</think>\n\ny<|im_end|>" in text
    assert text.endswith("<|im_start|>assistant\n<think>\n")


def test_training_prompts_are_what_the_chat_template_renders() -> None:
    messages = [{"role": "user", "content": "Let a=1. Find a."}]
    text = TOKENIZER.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert TOKENIZER.decode(Layout(TOKENIZER).prompt("Let a=1. Find a.")) == text


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_a_branch_sees_the_solution_before_its_step_and_itself(seed: int) -> None:
    problem, rng = drawn(seed), random.Random(seed)
    row = Layout(TOKENIZER).solution(rng, problem, score_share=1.0, mistakes={})
    question = prompts.score_prompt()
    branches = range(1, max(row.branches) + 1)
    assert branches
    for branch in branches:
        own = [i for i, b in enumerate(row.branches) if b == branch]
        seen = [*row.ids[: row.limits[own[0]]], *(row.ids[i] for i in own)]
        text = TOKENIZER.decode(seen).split("<think>\n")[1]
        *earlier, last = (
            text.removesuffix("\n\n" + question).replace("</think>\n\n", "").split("\n\n")
        )
        digit = TOKENIZER.decode([row.targets[own[-1]]])
        assert digit == (RIGHT if check_step(problem.question, earlier, last) else WRONG)
        assert row.positions[own[0]] == row.limits[own[0]]


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_no_altered_step_is_learned_as_text(seed: int) -> None:
    problem, rng = drawn(seed), random.Random(seed)
    row = Layout(TOKENIZER).solution(rng, problem, score_share=1.0, mistakes={})
    learned = [t for t, r in zip(row.targets, row.roles, strict=True) if r == SOLVING]
    digits = [t for t, r in zip(row.targets, row.roles, strict=True) if r == SCORING]
    solution = "".join(f"{s}\n\n" for s in problem.steps)
    answer = f"</think>\n\n{problem.answer_step}<|im_end|>"
    assert TOKENIZER.decode(learned) == solution + answer
    assert len(digits) == 2 * (len(problem.steps) + 1)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_method_answers_name_different_letters_of_the_pool(seed: int) -> None:
    row = Layout(TOKENIZER).methods(random.Random(seed), drawn(seed))
    text = TOKENIZER.decode(row.ids)
    pool = text.split("Methods: ")[1].split(". Name")[0].split(", ")
    count = int(text.split("Name the best ")[1][0])
    letters = text.split("methods are: ")[1].split(", ")
    assert len(set(letters)) == count
    assert set(letters) <= {entry[0] for entry in pool}


@pytest.mark.parametrize("pool", prompts.POOLS)
def test_a_pool_ends_in_the_unknown_method(pool: int) -> None:
    methods = prompts.method_pool(pool)
    assert len(methods) == pool + 1
    assert methods[-1] == {"letter": "ABCDEFGHIJKLMNOP"[pool], "name": "unknown"}


@pytest.mark.parametrize(
    ("right", "wrong", "area"),
    [([3, 4], [1, 2], 1.0), ([1, 2], [3, 4], 0.0), ([1, 1], [1, 1], 0.5), ([2, 3], [1, 2], 0.875)],
)
def test_auroc_counts_pairs(right: list[float], wrong: list[float], area: float) -> None:
    assert auroc(right, wrong) == pytest.approx(area)


def trained(folder: Path, *, steps: int, seed: int = 0, resume: bool = False) -> Trainer:
    folder.mkdir(exist_ok=True)
    trainer = Trainer(Settings("draft", folder, steps, seed, resume, mined=(), workers=1), 0)
    trainer.run()
    return trainer


def test_the_seed_and_the_steps_fix_the_weights(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "other")]
    for folder, seed in zip(folders, (0, 0, 1), strict=True):
        trained(folder, steps=2, seed=seed)
    one, two, other = [(folder / "model.safetensors").read_bytes() for folder in folders]
    assert one == two
    assert one != other


def test_an_interrupted_training_goes_on_from_its_last_state(tmp_path: Path) -> None:
    first = trained(tmp_path, steps=2)
    second = trained(tmp_path, steps=3, resume=True)
    assert second.progress.step == 3
    assert second.progress.tokens > first.progress.tokens


def test_what_is_mined_is_wrong_and_comes_from_training_problems_long_ones_if_asked(
    tmp_path: Path,
) -> None:
    found = tmp_path / "mined.jsonl"
    asked = ["--model", str(DRAFT), "--output", str(found), "--problems", "9"]
    mining.main([*asked, "--long"])
    mined = mining.read_mined(found)
    assert mined
    for one in mined:
        assert split_of(one.problem.question.statement) == "training"
        assert len(one.problem.steps) >= 10
        for index, steps in one.mistakes.items():
            earlier = one.problem.steps[:index]
            assert not any(check_step(one.problem.question, earlier, step) for step in steps)
    mining.main(asked)
    assert max(len(one.problem.steps) for one in mining.read_mined(found)) < 10


@pytest.mark.parametrize(("progress", "share"), [(0.1, 0.0), (0.5, MINED_SHARE)])
def test_a_share_of_the_sequences_holds_mined_steps(progress: float, share: float) -> None:
    problem, rng, layout = drawn(3), random.Random(0), Layout(TOKENIZER)
    mined = [mining.Mined(problem, {i: ["mined mistake"] for i in range(len(problem.steps) + 1)})]
    sequences = [draw(rng, RECIPES["target"], layout, progress, mined) for _ in range(300)]
    holding = sum("mined mistake" in TOKENIZER.decode(one.ids) for one in sequences)
    assert holding / 300 == pytest.approx(share, abs=0.08)
