"""Render the pocket set's own short prompts, as training and measuring need them."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2

from pipeline.letters import LETTERS
from pipeline.pocket.step_checker import OPTION_LETTERS, Question

ROLES = ("direct", "insightful", "systematic")
POOLS = (6, 9, 12, 15)
UNKNOWN = "unknown"
_IN_REPOSITORY = Path(__file__).parents[2] / "prompts"
_IN_WHEEL = Path(__file__).parents[1] / "prompts"


@cache
def _environment() -> jinja2.Environment:
    folder = _IN_REPOSITORY if _IN_REPOSITORY.is_dir() else _IN_WHEEL
    loader = jinja2.FileSystemLoader(folder / "pocket")
    # Prompts are plain text for a model, never HTML.
    return jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701


@cache
def _template(name: str) -> jinja2.Template:
    return _environment().get_template(f"{name}.j2")


@cache
def method_files() -> tuple[str, ...]:
    """Name the method templates in the order of their letters."""
    names = _environment().list_templates(filter_func=lambda name: name.startswith("methods/"))
    return tuple(sorted(name.removesuffix(".j2") for name in names))


@cache
def guidance_texts() -> tuple[str, ...]:
    """Render the three roles and every method tip."""
    names = [f"roles/{role}" for role in ROLES] + list(method_files())
    return tuple(_template(name).render() for name in names)


def task_prompt(kind: str, question: Question, guidance: str) -> str:
    """Render the user message of a problem, with a role or method text or an empty one."""
    choices = [
        {"letter": a, "text": b} for a, b in zip(OPTION_LETTERS, question.choices, strict=False)
    ]
    return _template(f"task/{kind}").render(
        problem=question.statement, choices=choices, guidance=guidance
    )


@cache
def score_prompt() -> str:
    """Render the score question."""
    return _template("score").render()


@cache
def method_pool(size: int) -> tuple[dict[str, str], ...]:
    """List the first `size` methods by letter and name, and after them the unknown one."""
    stems = [name.split("-", 1)[1].replace("-", " ") for name in method_files()[:size]]
    names = [*stems, UNKNOWN]
    return tuple({"letter": a, "name": b} for a, b in zip(LETTERS, names, strict=False))


def methods_prompt(question: Question, pool: int, count: int) -> str:
    """Render the user message that asks for the best `count` methods of a pool."""
    return _template("choose-methods").render(
        problem=question.statement, choices=(), methods=method_pool(pool), count=count
    )


def methods_answer(count: int, letters: Sequence[str]) -> str:
    """Render the primed beginning of the answer, and the letters after it."""
    return _template("choose-methods-answer").render(count=count) + ", ".join(letters)
