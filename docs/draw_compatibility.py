"""Draw docs/compatibility.md: what the installed transformers does with each combination.

`python docs/draw_compatibility.py` probes them anew, in 10 to 20 seconds on two idle cores, and
writes the page; a test compares its tables with what it finds.
"""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.measuring.combination import (
    ATTENTION,
    CACHES,
    GUESSES,
    UNCAPPED,
    WAYS,
    WEIGHTS,
    Combination,
    quick_grid,
)
from pipeline.measuring.probe import PACKAGES, Answer, Ignored, Probe, Supported, versions_here

PAGE = Path(__file__).parent / "compatibility.md"
MARKER = "<!-- drawn by docs/draw_compatibility.py -->\n"
REASONS = "\n## Reasons\n"


def here() -> str:
    """The line that says what was probed; where it differs, the tables may."""
    found = versions_here()
    missing = [package for package in PACKAGES if found[package] == "missing"]
    return (
        f"transformers {found['transformers']}, torch {found['torch']}, device {found['device']}; "
        f"not installed: {', '.join(missing) or 'nothing'}.\n"
    )


def tables(answers: Mapping[Combination, Answer]) -> str:
    """Both tables: of caches, and of attention and weights."""
    text = "\n## Caches\n\nAttention sdpa, weights as they are.\n\n"
    text += _table(
        {f"{way} | {guesses}": (way, guesses) for way in WAYS for guesses in GUESSES},
        {cache: {"cache": cache} for cache in CACHES},
        answers,
    )
    uncapped = _cell(answers[Combination(cache=UNCAPPED)])
    text += f"\nContinuous batching with the sizes that transformers chooses: {uncapped}.\n"
    text += "\n## Attention and weights\n\nThe cache that generation makes by itself.\n\n"
    columns = {one: {"attention": one} for one in ATTENTION} | {
        one: {"weights": one} for one in WEIGHTS if one != "full"
    }
    rows = {
        f"{way} | {guesses}": (way, guesses)
        for way in ("greedy", "batched", "beam")
        for guesses in ("none", "assistant")
    }
    return text + _table(rows, columns, answers)


def reasons(answers: Mapping[Combination, Answer]) -> str:
    """Each different answer in full; a library may change its words with any version."""
    found = {f"- {one.reason}" for one in answers.values() if not isinstance(one, Supported)}
    return f"{REASONS}\n" + "\n".join(sorted(found)) + "\n"


def _table(
    rows: Mapping[str, tuple[str, str]],
    columns: Mapping[str, Mapping[str, str]],
    answers: Mapping[Combination, Answer],
) -> str:
    lines = [f"| way | guesses | {' | '.join(columns)} |", "|---" * (len(columns) + 2) + "|"]
    for title, (way, guesses) in rows.items():
        cells = [answers.get(Combination(way, guesses, **more)) for more in columns.values()]
        lines.append(f"| {title} | {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines) + "\n"


def _cell(answer: Answer | None) -> str:
    match answer:
        case None:
            return ""
        case Supported(exact):
            return {True: "same", False: "**differs**", None: "works"}[exact]
        case Ignored():
            return "*ignored*"
        case refused:
            return refused.reason.partition(":")[0] if "killed" not in refused.reason else "killed"


def main() -> None:
    """Probe anew and write the page below its marker."""
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        answers = Probe(Path(folder)).what_they_do(quick_grid())
    above = PAGE.read_text(encoding="utf-8").partition(MARKER)[0]
    drawn = here() + tables(answers) + reasons(answers)
    PAGE.write_text(f"{above}{MARKER}\n{drawn}", encoding="utf-8")
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
