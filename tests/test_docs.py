"""What README and docs name is there: modules, files, links, make targets, commands and options."""

import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from evaluators import GRADER_VERSION
from pipeline.cli import group
from speclrm_testing.commands import speclrm

ROOT = Path(__file__).parent.parent
PAGES = {
    str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
    for file in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))
}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
WRITTEN = {"--greeting", "--number", "--draft-number", "--judge-model"}
"""Options of what docs/extending.md writes: a reasoner, an engine, and a judge."""
FOREIGN = {"--log_samples", "--results_dir", "--array"} | WRITTEN
"""Options of lm-eval, of the SSR scripts and of sbatch are not ours either."""
# Placeholders in what a page shows: `NAME`, `<set>`, `*`, `{a,b}`, `…`.
PLACEHOLDER = re.compile(r"[A-Z]{3,}|[<>*{}…]")


def blocks(text: str) -> Iterator[str]:
    """The lines of all blocks of code; lines that a backslash joins are one line."""
    for block in re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        yield from block.replace("\\\n", " ").splitlines()


def spans(text: str) -> Iterator[str]:
    """What stands between backquotes, outside of blocks."""
    unfenced = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", unfenced)


def named(pattern: str) -> list[tuple[str, str]]:
    """(page, what the pattern's group matches) for every span and every line of a block."""
    return sorted(
        {
            (page, match.group(1))
            for page, text in PAGES.items()
            for line in (*spans(text), *blocks(text))
            if (match := re.match(pattern, line.strip()))
        }
    )


def headings(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub spells them."""
    found = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in found}


def options_of(command: click.Command) -> set[str]:
    """Every spelling of an option that the command takes."""
    params = command.get_params(click.Context(command, **group.context_settings))
    return {spelling for one in params for spelling in (*one.opts, *one.secondary_opts)}


COMMANDS = group.list_commands(click.Context(group))


@pytest.mark.parametrize(("page", "name"), named(r"((?:pipeline|evaluators)(?:\.\w+)+)(?:\(|$)"))
def test_a_module_or_function_exists(page, name):
    path = ROOT / name.replace(".", "/")
    parent, _, last = name.rpartition(".")
    assert (
        path.is_dir()
        or path.with_suffix(".py").is_file()
        or hasattr(importlib.import_module(parent), last)
    ), page


@pytest.mark.parametrize(
    ("page", "file"),
    [
        (page, file)
        for page, file in named(
            r"(?:python )?((?:pipeline|evaluators|benchmarks|datasets|prompts|tests|docs)/\S*)"
        )
        if not PLACEHOLDER.search(file)
    ],
)
def test_a_file_or_folder_exists(page, file):
    # docs/extending.md writes these.
    written = {
        "pipeline/reasoners/direct.py",
        "pipeline/reasoners/terse.py",
        "pipeline/measuring/decoders/frugal.py",
    }
    assert (ROOT / file).exists() or file in written, page


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_pages_and_headings(page):
    text = PAGES[page]
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = link.partition("#")
        if file.startswith("http"):
            continue
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in headings(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize(("page", "target"), named(r"make ([a-z-]+)"))
def test_a_make_target_exists(page, target):
    assert target in TARGETS, page


@pytest.mark.parametrize(("page", "line"), named(r"(?:\$ )?(speclrm [a-z].*)"))
def test_a_command_and_its_options_exist(page, line):
    words = shlex.split(line.replace("[", "").replace("]", "").replace("…", "..."), comments=True)
    assert words[1] in COMMANDS, (page, line)
    command = group.get_command(click.Context(group), words[1])
    assert command is not None
    taken = options_of(command)
    for word in words[2:]:
        if word.startswith("--"):
            assert word.partition("=")[0].replace("_", "-") in taken, (page, line)


@pytest.mark.parametrize(("page", "option"), named(r"(--[a-z][a-z0-9_-]*[a-z0-9])(?:[ =]|$)"))
def test_an_option_that_is_named_alone_belongs_to_a_command_or_program(page, option):
    context = click.Context(group)
    commands = [group.get_command(context, name) for name in COMMANDS]
    taken = {each for one in commands if one is not None for each in options_of(one)}
    of_programs = {
        text
        for file in ROOT.glob("benchmarks/*.py")
        for text in re.findall(r'"(--[a-z-]+)"', file.read_text(encoding="utf-8"))
    }
    assert option.replace("_", "-") in taken | of_programs or option in FOREIGN, page


@pytest.mark.parametrize(("page", "line"), named(r"python ((?:-m |benchmarks/|docs/|tests/).+)"))
def test_a_program_and_its_options_exist(page, line):
    words = line.split()
    name = f"{words[1].replace('.', '/')}" if words[0] == "-m" else words[0].removesuffix(".py")
    folder, file = ROOT / name, ROOT / f"{name}.py"
    source = (folder / "__main__.py" if folder.is_dir() else file).read_text(encoding="utf-8")
    for word in words[1:]:
        if word.startswith("--"):
            assert f'"{word}"' in source, (page, line)


ANSWERED = {"grade --kind", "datasets amie", "run baseline --problem-id 700"}


def transcripts() -> list[tuple[str, str]]:
    """(command, what README says it prints) for those that need no model."""
    found = re.findall(
        r"^\$ speclrm (.+)\n((?:(?!\$ |```).*\n)*)", PAGES["README.md"], re.MULTILINE
    )
    return [(line, said) for line, said in found if line.startswith(tuple(ANSWERED))]


def test_readme_answers_are_among_its_transcripts():
    assert len(transcripts()) == len(ANSWERED)


@pytest.mark.parametrize(("command", "printed"), transcripts())
def test_readme_shows_what_a_command_prints(command, printed):
    said = speclrm(command)
    assert (said.out + said.err).split() == printed.split()


def test_the_runs_that_a_page_names_are_those_of_the_demo_or_shown_by_a_plan():
    plan = json.loads(speclrm(f"table {ROOT / 'examples/demo.toml'} --dry-run --json").out)
    made = {Path(cell["directory"]).name for cell in plan["cells"]}
    alone = speclrm("run baseline --problem-id first:90 --dry-run").out
    name = re.compile(r"\bpocket-(?:\w+-)+[0-9a-f]{8}\b")
    for page, text in PAGES.items():
        assert set(name.findall(text)) <= made | set(name.findall(alone)), page


def test_readme_shows_the_present_grader():
    assert set(re.findall(r"grader (\d+\.\d+)", PAGES["README.md"])) == {GRADER_VERSION}
