import re
from pathlib import Path

import pytest

from pipeline.errors import UserMistake
from pipeline.problems.manifests import ANSWER_KINDS, AnswerKind
from pipeline.problems.problem_set import Problem
from pipeline.problems.prompting import (
    LetteredMethod,
    guidance_text,
    method_answer_opening,
    method_question,
    methods,
    open_prompt_set,
    prompt_hashes,
    score_question,
    task_prompt,
)
from pipeline.resources import prompts_dir

SETS = sorted(path.name for path in prompts_dir().iterdir() if path.is_dir())
NAMES = [
    "algebraic-simplification",
    "substitution",
    "coordinates",
    "complex-numbers",
    "number-theory",
    "combinatorics",
    "probability",
    "functional-equations",
    "recursion-invariants",
    "euclidean-geometry",
    "casework",
    "calculus-inequalities",
    "working-backwards",
    "symmetry",
    "generating-functions",
]


def problem(kind: AnswerKind) -> Problem:
    choices = ("three & <four>", "five") if kind == "choice" else ()
    return Problem(
        dataset="mine",
        problem_id="0",
        record_id="0",
        aliases=(),
        problem="What is {{ 1 + 1 }} & <b>?",
        answer="A",
        kind=kind,
        choices=choices,
        choice_order=tuple(range(len(choices))),
        level=None,
    )


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("kind", ANSWER_KINDS)
def test_every_kind_has_a_task_text_that_quotes_the_problem_as_it_is(
    name: str, kind: AnswerKind
) -> None:
    prompt = task_prompt(open_prompt_set(name), problem(kind), guidance="")
    assert "What is {{ 1 + 1 }} & <b>?" in prompt.text
    assert prompt.text == prompt.text.strip()
    assert prompt.template == f"task/{kind}.j2"
    assert len(prompt.sha256) == 64


@pytest.mark.parametrize("name", SETS)
def test_guidance_comes_into_the_task_text(name: str) -> None:
    prompts = open_prompt_set(name)
    role = guidance_text(prompts, "roles", "direct")
    guided = task_prompt(prompts, problem("integer"), guidance=role)
    plain = task_prompt(prompts, problem("integer"), guidance="")
    assert role in guided.text
    assert role not in plain.text
    assert guided.sha256 != plain.sha256


@pytest.mark.parametrize("name", SETS)
def test_choices_are_shown_with_their_letters(name: str) -> None:
    text = task_prompt(open_prompt_set(name), problem("choice"), guidance="").text
    assert "three & <four>" in text
    assert text.index("three & <four>") < text.index("five")


@pytest.mark.parametrize("name", SETS)
def test_a_set_has_three_roles_and_fifteen_methods_in_order(name: str) -> None:
    prompts = open_prompt_set(name)
    assert [method.name for method in methods(prompts)] == NAMES
    assert [method.position for method in methods(prompts)] == list(range(1, 16))
    texts = {guidance_text(prompts, "methods", each) for each in NAMES}
    roles = {guidance_text(prompts, "roles", r) for r in ("direct", "insightful", "systematic")}
    assert len(texts) == 15
    assert len(roles) == 3


@pytest.mark.parametrize("name", SETS)
def test_primed_openings_end_where_the_answer_begins(name: str) -> None:
    prompts = open_prompt_set(name)
    assert score_question(prompts).text.endswith(": ")
    assert method_answer_opening(prompts, 3).text.endswith("3 methods are: ")


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("count", [1, 3])
def test_the_method_question_names_the_pool(name: str, count: int) -> None:
    pool = (LetteredMethod("A", "number-theory"), LetteredMethod("B", "unknown"))
    text = method_question(open_prompt_set(name), problem("latex"), pool, count).text
    assert re.search(r"\bA\.? number theory\b", text)
    assert re.search(r"\bB\.? unknown\b", text)
    assert text == text.strip()


def test_standard_task_texts_ask_for_steps_and_a_box() -> None:
    prompts = open_prompt_set("standard")
    for kind in ("integer", "latex", "choice", "text"):
        text = task_prompt(prompts, problem(kind), guidance="").text
        assert "blank line between steps" in text
        assert "\\boxed{" in text


def test_hashes_name_every_template_and_follow_its_source(tmp_path: Path) -> None:
    (tmp_path / "score.j2").write_text("Rate it: {{ '' }}\n")
    bundled = prompt_hashes(open_prompt_set("standard"))
    own = prompt_hashes(open_prompt_set("standard", tmp_path))
    assert {"score.j2", "task/integer.j2", "roles/direct.j2"} <= set(bundled)
    assert {file for file in bundled if own[file] != bundled[file]} == {"score.j2"}


def test_own_templates_replace_those_of_the_set(tmp_path: Path) -> None:
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "latex.j2").write_text("{{ problem }} Go.\n")
    prompts = open_prompt_set("standard", tmp_path)
    assert task_prompt(prompts, problem("latex"), "").text == "What is {{ 1 + 1 }} & <b>? Go."
    assert "integer" in task_prompt(prompts, problem("integer"), "").text


def test_own_methods_replace_all_methods(tmp_path: Path) -> None:
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "01-guessing.j2").write_text("Guess.")
    prompts = open_prompt_set("standard", tmp_path)
    assert [method.name for method in methods(prompts)] == ["guessing"]


@pytest.mark.parametrize(
    ("file", "source", "what"),
    [
        ("task/latex.j2", "{{ probelm }}", "task/latex.j2: 'probelm' is undefined"),
        ("task/latex.j2", "a\n{% if %}", "task/latex.j2:2: "),
        ("methods/02-late.j2", "x", "methods are numbered 02; they must run 01, 02"),
        ("methods/late.j2", "x", "named like methods/01-name.j2"),
    ],
)
def test_a_wrong_own_template_is_a_clear_mistake(
    tmp_path: Path, file: str, source: str, what: str
) -> None:
    path = tmp_path / file
    path.parent.mkdir()
    path.write_text(source)
    prompts = open_prompt_set("standard", tmp_path)
    with pytest.raises(UserMistake, match=what):
        (methods(prompts), task_prompt(prompts, problem("latex"), ""))


def test_unknown_names_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    prompts = open_prompt_set("standard")
    with pytest.raises(UserMistake, match="unknown prompt set 'best': known are pocket, standard"):
        open_prompt_set("best")
    with pytest.raises(UserMistake, match="did you mean symmetry"):
        guidance_text(prompts, "methods", "symetry")
    with pytest.raises(UserMistake, match=r"no folder with \.j2 files"):
        open_prompt_set("standard", tmp_path / "absent")
