"""Draw docs/map.md from the code: the rooms, who imports whom, and one sentence a module.

`python docs/draw_map.py` writes what stands below the marker in docs/map.md; a test compares. The
order of the rooms is written here and nowhere else; the same test holds it.
"""

import argparse
import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAP = ROOT / "docs" / "map.md"
MARKER = "<!-- drawn by docs/draw_map.py: edit docstrings, not this -->\n"
PACKAGES = ("evaluators", "pipeline", "speclrm_testing")

# A room is a folder, or a module that lies beside the folders. Each may import from the rooms above
# it in this list, and from no other. Each tuple is one line of the drawing; the rooms of a line do
# not import each other.
FLOORS = (
    ("evaluators.verdict", "evaluators.nodes"),
    ("evaluators.run_files", "evaluators.numbers", "evaluators.comparing.symbolic"),
    ("evaluators.reading",),
    ("evaluators.finding",),
    ("evaluators.comparing", "evaluators.answer"),
    ("evaluators.grader", "evaluators.statistics"),
    ("evaluators.cases", "evaluators.reports"),
    (
        "evaluators.crosscheck",
        "evaluators.reports.exports",
        "evaluators.reports.measured",
        "evaluators",
    ),
    (
        "pipeline.beside",
        "pipeline.leaving",
        "pipeline.letters",
        "pipeline.near_match",
        "pipeline.errors",
    ),
    (
        "pipeline.resources",
        "pipeline.seeds",
        "pipeline.signals",
        "pipeline.streams",
        "pipeline.records",
        "pipeline.decoding",
        "pipeline.stores",
    ),
    ("pipeline.decoding.proposers", "pipeline.pocket"),
    ("pipeline.plugins", "pipeline.declared_option", "pipeline.shards"),
    ("pipeline.registry",),
    ("pipeline.engines", "pipeline.cost", "pipeline.problems"),
    (
        "pipeline.engines.vllm",
        "pipeline.engines.openai",
        "pipeline.engines.transformers",
        "pipeline.engines.scripted",
        "pipeline.engines.ray",
        "pipeline.experiment",
        "pipeline.ledger",
    ),
    ("pipeline.reasoners",),
    ("pipeline.runs",),
    ("pipeline.review", "pipeline.imports", "pipeline.generating", "pipeline.trackers"),
    ("pipeline.tables",),
    ("pipeline.measuring",),
    ("pipeline.measuring.decoders",),
    ("pipeline.cli",),
    ("pipeline.__main__", "pipeline"),
    ("speclrm_testing.commands", "speclrm_testing.engine_contract", "speclrm_testing.forwarding"),
    ("speclrm_testing.scripted_runs",),
    ("speclrm_testing.reasoner_contract",),
    ("speclrm_testing",),
)


@dataclass(frozen=True, slots=True)
class Module:
    """One module: the room it lies in, its docstring's first paragraph, what of ours it imports."""

    name: str
    room: str
    sentence: str
    imports: frozenset[str]


def modules() -> list[Module]:
    """Every module that holds anything, sorted by name."""
    trees = dict(_sources())
    folders = {name for name in trees if (ROOT / name.replace(".", "/")).is_dir()}
    return [
        Module(name, _room(name, folders), _sentence(tree), frozenset(_imports(name, tree, trees)))
        for name, tree in sorted(trees.items())
    ]


def arrows(found: list[Module]) -> set[tuple[str, str]]:
    """The rooms that import from other rooms: (who, from whom)."""
    room = {module.name: module.room for module in found}
    pairs = {(module.room, room[used]) for module in found for used in module.imports}
    return {(who, whom) for who, whom in pairs if who != whom}


def drawn() -> str:
    """What stands below the marker: a drawing of each package's rooms, and its modules."""
    found = modules()
    return "".join(_package(package, found) for package in PACKAGES)


def _package(package: str, found: list[Module]) -> str:
    inside = [module for module in found if module.name.split(".")[0] == package]
    pairs = {(a, b) for a, b in arrows(found) if all(r.split(".")[0] == package for r in (a, b))}
    text = f"\n## {package}\n\n{_picture(package, pairs)}\n"
    for room in (room for floor in FLOORS for room in floor if room.split(".")[0] == package):
        members = [module for module in inside if module.room == room]
        if len(members) == 1 and members[0].name == room:
            text += f"\n- `{room}`: {members[0].sentence}\n"
            continue
        title = next((module.sentence for module in members if module.name == room), "")
        text += f"\n### {room}\n\n{title}\n\n"
        text += "".join(f"- `{m.name}`: {m.sentence}\n" for m in members if m.name != room)
    return text


def _picture(package: str, pairs: set[tuple[str, str]]) -> str:
    """A Mermaid drawing; an arrow that follows from two others is left out."""
    shown = sorted((a, b) for a, b in pairs if package not in {a, b} and not _follows(a, b, pairs))
    lines = [f"    {_node(a)} --> {_node(b)}" for a, b in shown]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


def _follows(start: str, end: str, pairs: set[tuple[str, str]]) -> bool:
    """Whether `end` is also reached from `start` by way of another room."""
    ways = [b for a, b in pairs if a == start and b != end]
    seen: set[str] = set()
    while ways:
        room = ways.pop()
        if room == end:
            return True
        if room not in seen:
            seen.add(room)
            ways += [b for a, b in pairs if a == room]
    return False


def _node(room: str) -> str:
    short = room.partition(".")[2]
    return f"{short.replace('.', '_')}[{short}]"


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            tree = ast.parse(file.read_text(encoding="utf-8"))
            if tree.body:
                yield name.removesuffix(".__init__"), tree


def _room(name: str, folders: set[str]) -> str:
    folder = name if name in folders else name.rpartition(".")[0]
    return name if folder in PACKAGES else folder


def _sentence(tree: ast.Module) -> str:
    return " ".join((ast.get_docstring(tree) or "").split("\n\n")[0].split())


def _imports(name: str, tree: ast.Module, known: dict[str, ast.Module]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            used = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            used = [one if one in known else node.module for one in inner]
        else:
            continue
        yield from (one for one in used if one in known and one != name)


if __name__ == "__main__":
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    above = MAP.read_text(encoding="utf-8").partition(MARKER)[0]
    MAP.write_text(above + MARKER + drawn(), encoding="utf-8")
    print(f"wrote {MAP.relative_to(ROOT)}")
