"""Prompts: strict Jinja templates, one file each, rendered to text with a hash.

A prompt set is read once and then fixed, so that what a run records is what it used.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from jinja2 import DictLoader, Environment, StrictUndefined, TemplateError

from pipeline import plugins
from pipeline.errors import UserMistake
from pipeline.letters import LETTERS
from pipeline.near_match import near_match
from pipeline.problems.problem_set import Problem
from pipeline.resources import prompts_dir

GuidanceGroup = Literal["roles", "methods"]
_METHOD_FILE = re.compile(r"methods/([0-9]{2})-([a-z0-9-]+)\.j2")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered text, the template it came from, and the SHA-256 of the text."""

    text: str
    template: str
    sha256: str


class Method(NamedTuple):
    """A solution strategy: its place from 1, its name, and its template."""

    position: int
    name: str
    file: str


class LetteredMethod(NamedTuple):
    """A method as the method question shows it."""

    letter: str
    name: str


@dataclass(frozen=True, slots=True)
class PromptSet:
    """The templates of one set by their path in it, ready to render."""

    name: str
    sources: Mapping[str, str]
    environment: Environment


def bundled_prompt_sets() -> tuple[str, ...]:
    """The names of the prompt sets that ship with the program, sorted."""
    return tuple(sorted(path.name for path in prompts_dir().iterdir() if path.is_dir()))


def open_prompt_set(name: str, own_folder: Path | None = None) -> PromptSet:
    """Read the set `name`; templates in `own_folder` (the same tree) replace its own.

    An own `methods` folder replaces all methods, because their letters go by position. Raises
    `UserMistake` for an unknown set, a plug-in's that cannot be used, and an own folder that is
    not there or has no templates.
    """
    bundled = bundled_prompt_sets()
    plugin = plugins.find("prompts", name, bundled)
    if plugin is None and name not in bundled:
        known = ", ".join((*bundled, *plugins.added("prompts", bundled)))
        raise UserMistake(
            f"unknown prompt set {name!r}: known are {known}; for your own use --prompts FOLDER"
        )
    sources = _read_templates(prompts_dir() / name if plugin is None else plugin.folder())
    if own_folder is not None:
        own = _read_templates(own_folder)
        if not own:
            raise UserMistake(f"--prompts {own_folder}: no folder with .j2 files")
        if any(file.startswith("methods/") for file in own):
            sources = {f: text for f, text in sources.items() if not f.startswith("methods/")}
        sources |= own
    # No autoescape: the text goes to a model, and "<" must stay "<".
    environment = Environment(
        loader=DictLoader(sources),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701
    )
    return PromptSet(name=name, sources=sources, environment=environment)


def compile_prompts(prompt_set: PromptSet) -> None:
    """Raise `UserMistake` for a set without templates, and for a template that is none."""
    if not prompt_set.sources:
        raise UserMistake(f"the prompt set {prompt_set.name} has no .j2 files")
    for file in prompt_set.sources:
        with _named(prompt_set, file):
            prompt_set.environment.get_template(file)


def task_prompt(prompt_set: PromptSet, problem: Problem, guidance: str) -> Prompt:
    """The task as the model is asked it; `guidance` is a role's or a method's text, or empty."""
    return _render(
        prompt_set,
        f"task/{problem.kind}.j2",
        {"problem": problem.problem, "choices": _choices(problem), "guidance": guidance},
    )


def guidance_text(prompt_set: PromptSet, group: GuidanceGroup, name: str) -> str:
    """The text of a role ("direct") or a method ("substitution"), by its name."""
    files = {_guidance_name(f): f for f in prompt_set.sources if f.startswith(f"{group}/")}
    if name not in files:
        near = near_match(name, files)
        hint = f"did you mean {near}? " if near is not None else ""
        raise UserMistake(f"unknown name {name!r} in {group}: {hint}known are {', '.join(files)}")
    return _render(prompt_set, files[name], {}).text


def methods(prompt_set: PromptSet) -> tuple[Method, ...]:
    """All methods by position. Raises `UserMistake` unless the positions are 1, 2, 3, ..."""
    found = []
    for file in prompt_set.sources:
        match = _METHOD_FILE.fullmatch(file)
        if match:
            found.append(Method(int(match[1]), match[2], file))
        elif file.startswith("methods/"):
            raise UserMistake(f"prompt {file}: a method's file is named like methods/01-name.j2")
    found.sort()
    if [method.position for method in found] != list(range(1, len(found) + 1)):
        numbers = ", ".join(f"{method.position:02}" for method in found)
        raise UserMistake(f"methods are numbered {numbers}; they must run 01, 02, 03 without gaps")
    return tuple(found)


def score_question(prompt_set: PromptSet) -> Prompt:
    """The question after a step whose next token is the step's score."""
    return _render(prompt_set, "score.j2", {})


def thinking_close(prompt_set: PromptSet) -> str:
    """The text that ends a thinking block from outside."""
    return _render(prompt_set, "thinking/close.j2", {}).text


def thinking_wait(prompt_set: PromptSet) -> str:
    """The text in place of a thinking block's end, after which the model thinks on."""
    return _render(prompt_set, "thinking/wait.j2", {}).text


def method_question(
    prompt_set: PromptSet, problem: Problem, pool: tuple[LetteredMethod, ...], count: int
) -> Prompt:
    """The question which `count` methods of the pool suit the problem best."""
    shown = [{"letter": m.letter, "name": m.name.replace("-", " ")} for m in pool]
    return _render(
        prompt_set,
        "choose-methods.j2",
        {
            "problem": problem.problem,
            "choices": _choices(problem),
            "methods": shown,
            "count": count,
        },
    )


def method_answer_opening(prompt_set: PromptSet, count: int) -> Prompt:
    """The opening of the answer to the method question: the letters come next."""
    return _render(prompt_set, "choose-methods-answer.j2", {"count": count})


def prompt_hashes(prompt_set: PromptSet) -> dict[str, str]:
    """SHA-256 of every template's source, by its path in the set."""
    return {file: _sha256(text) for file, text in sorted(prompt_set.sources.items())}


def _guidance_name(file: str) -> str:
    match = _METHOD_FILE.fullmatch(file)
    return match[2] if match else Path(file).stem


def _read_templates(folder: Path) -> dict[str, str]:
    sources = {}
    for path in sorted(folder.rglob("*.j2")):
        if not path.is_file():  # a pipe that nobody writes to would be waited for
            raise UserMistake(f"the prompt {path} is a pipe or a folder; move it out of the set")
        try:
            sources[path.relative_to(folder).as_posix()] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserMistake(f"cannot read the prompt {path}: {error}") from error
    return sources


def _choices(problem: Problem) -> list[dict[str, str]]:
    named = zip(LETTERS, problem.choices, strict=False)
    return [{"letter": letter, "text": text} for letter, text in named]


def _render(prompt_set: PromptSet, file: str, variables: Mapping[str, object]) -> Prompt:
    if file not in prompt_set.sources:
        raise UserMistake(f"the prompt set {prompt_set.name} has no template {file}")
    with _named(prompt_set, file):
        text = prompt_set.environment.get_template(file).render(variables)
    return Prompt(text=text, template=file, sha256=_sha256(text))


@contextmanager
def _named(prompt_set: PromptSet, file: str) -> Iterator[None]:
    """Say of an error in a template where it is."""
    try:
        yield
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        place = f"{file}:{line}" if line else file
        raise UserMistake(f"prompt {prompt_set.name}/{place}: {error}") from error


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
