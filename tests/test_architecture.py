"""The shape of the code, held by reading its syntax trees: who may import whom, and how big."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import draw_map
import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("pipeline", "evaluators", "speclrm_testing")
MAX_MODULE_LINES = 320
MAX_FUNCTION_LINES = 60
# Files and folders a reasoner may not touch: it knows engines by their protocol and no files.
FILE_MODULES = {"os", "io", "pathlib", "shutil", "json", "tempfile", "pipeline.runs.directory"}
# Functions over the limit, each with its reason. This list may only shrink.
LONG_FUNCTIONS: dict[str, str] = {}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), ast.parse(file.read_text())


MODULES = dict(sources())
FLOOR_OF = {room: floor for floor, rooms in enumerate(draw_map.FLOORS) for room in rooms}


def imports(tree: ast.AST) -> set[str]:
    """Every module that is imported anywhere in `tree`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def at_import(tree: ast.Module) -> set[str]:
    """What is imported when the module is: not inside functions, not for type checkers only."""
    body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    return imports(ast.Module(body=body, type_ignores=[]))


def under(package: str) -> dict[str, ast.Module]:
    """The modules of a package; a rule about a package that is not there would hold for nothing."""
    found = {name: tree for name, tree in MODULES.items() if f"{name}.".startswith(f"{package}.")}
    assert found, package
    return found


def is_under(module: str, *packages: str) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def test_evaluators_never_import_the_pipeline():
    offenders = {n for n, tree in under("evaluators").items() if any_under(tree, "pipeline")}
    assert offenders == set()


def test_engines_know_nothing_of_reasoners_or_runs():
    for name, tree in under("pipeline.engines").items():
        ours = {module for module in imports(tree) if is_under(module, "pipeline", "evaluators")}
        outside = {
            module
            for module in ours
            if not is_under(
                module,
                "pipeline.engines",
                "pipeline.decoding",
                "pipeline.errors",
                "pipeline.plugins",
                "pipeline.registry",
                "pipeline.declared_option",
                "pipeline.resources",
            )
        }
        assert outside == set(), name


def test_decoding_knows_nothing_of_the_project():
    for name, tree in under("pipeline.decoding").items():
        ours = {module for module in imports(tree) if is_under(module, *PACKAGES)}
        assert {one for one in ours if not is_under(one, "pipeline.decoding")} == set(), name


def test_reasoners_know_nothing_of_files():
    for name, tree in under("pipeline.reasoners").items():
        assert imports(tree) & FILE_MODULES == set(), name


def test_reasoners_know_engines_only_by_their_protocol():
    for name, tree in under("pipeline.reasoners").items():
        engines = {module for module in imports(tree) if is_under(module, "pipeline.engines")}
        allowed = {m for m in engines if is_under(m, "pipeline.engines.protocol")}
        assert engines == allowed, name


def test_only_the_command_line_imports_the_command_line():
    for name, tree in MODULES.items():
        if not is_under(name, "pipeline.cli", "pipeline.__main__", "speclrm_testing"):
            assert not any_under(tree, "pipeline.cli"), name


def test_no_two_modules_import_each_other_in_a_circle():
    graph = {
        name: {m for m in at_import(tree) if m in MODULES and m != name}
        for name, tree in MODULES.items()
    }
    while leaves := {name for name, needs in graph.items() if not needs & graph.keys()}:
        graph = {name: needs for name, needs in graph.items() if name not in leaves}
    assert graph == {}, "these modules import each other in a circle"


@pytest.mark.parametrize("name", MODULES)
def test_a_module_can_be_read_without_scrolling_far(name):
    lines = ast.unparse(MODULES[name]).count("\n")
    assert lines <= MAX_MODULE_LINES


def test_functions_are_short():
    long = {
        f"{name}.{node.name}"
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.body[0].lineno + 1 > MAX_FUNCTION_LINES
    }
    assert long == set(LONG_FUNCTIONS)


def test_the_map_is_drawn_from_the_code_as_it_is():
    text = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")
    above, marker, drawn = text.partition(draw_map.MARKER)
    assert above
    assert marker
    assert drawn == draw_map.drawn(), "run: python docs/draw_map.py"


def test_asking_the_drawing_program_for_help_draws_nothing(tmp_path):
    for file in ("docs/draw_map.py", "docs/map.md"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(draw_map.ROOT / file, tmp_path / file)
    before = (tmp_path / "docs" / "map.md").read_bytes()
    program = [sys.executable, tmp_path / "docs" / "draw_map.py"]
    said = subprocess.run([*program, "--help"], capture_output=True, text=True, check=True)
    assert "Draw docs/map.md from the code" in said.stdout
    assert subprocess.run([*program, "--quick"], capture_output=True, check=False).returncode == 2
    assert (tmp_path / "docs" / "map.md").read_bytes() == before


def test_every_room_has_its_floor():
    assert {module.room for module in draw_map.modules()} == FLOOR_OF.keys()


def test_rooms_import_only_from_the_floors_above_them_in_the_list():
    wrong = {
        (who, whom)
        for who, whom in draw_map.arrows(draw_map.modules())
        if FLOOR_OF[who] <= FLOOR_OF[whom]
    }
    assert wrong == set()


GRADING = ("evaluators.finding", "evaluators.reading", "evaluators.comparing")
COUNTING = ("evaluators.statistics", "evaluators.reports")


@pytest.mark.parametrize(("one", "other"), [(GRADING, COUNTING), (COUNTING, GRADING)])
def test_grading_and_counting_never_import_each_other(one, other):
    for package in one:
        for name, tree in under(package).items():
            assert not any(any_under(tree, each) for each in other), name


def any_under(tree: ast.AST, package: str) -> bool:
    return any(is_under(module, package) for module in imports(tree))
