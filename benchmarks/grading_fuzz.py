"""Mutated answers and outputs through the grader: no exception, no hang, no executed text.

    python benchmarks/grading_fuzz.py [FILE.jsonl ...] [--inputs 200000] [--seed 1] [--quick]

The inputs are the golden tables of the tests and the texts of the given files (fields gold, pred,
answer, output, outputs), changed at random places: bytes replaced, removed, repeated, pieces of
other inputs spliced in. The last line printed is a JSON object with the seed.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from report import print_result  # noqa: E402 - a program may run from any directory

from evaluators import grade  # noqa: E402 - the same

QUICK_INPUTS = 5_000
SLOW_SECONDS = 3.0
KINDS = ("latex", "latex", "integer", "text", "choice")
PAYLOAD = "__import__('os').system('touch {}')"
PIECES = (
    *(
        r"\frac { } \boxed{ ^ _ ( [ \left \begin{pmatrix} & \\ ! $ , 9^{9^9} \sqrt[ \text{ | 10!!! "
        r"</think> \sum_{k=1}^ 😀 ∞"
    )
    .encode()
    .split(),
    b"\x00",
    b"\xff",
)


def texts(files: list[Path]) -> list[bytes]:
    """The texts that are mutated."""
    found = []
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for name in ("gold", "pred", "answer", "output", "outputs"):
                value = row.get(name, [])
                found += [
                    v.encode()[-3000:] for v in ([value] if isinstance(value, str) else value)
                ]
    return [text for text in found if text]


def mutated(seeds: list[bytes], chance: random.Random) -> str:
    """One input: a seed changed at one to five places, as text whatever its bytes are."""
    text = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 5)):
        place = chance.randrange(len(text) + 1)
        match chance.randrange(6):
            case 0:
                text[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del text[place : place + chance.randint(1, 12)]
            case 2:
                text[place:place] = text[place : place + 20] * chance.randint(1, 40)
            case 3:
                text[place:place] = chance.choice(PIECES) * chance.choice((1, 1, 1, 2, 30))
            case 4:
                text[place:] = chance.choice(seeds)[-chance.randint(1, 400) :]
            case 5:
                text[place:place] = PAYLOAD.encode()
    return text.decode("utf-8", errors="surrogateescape")


def inputs(seeds: list[bytes], seed: int, canary: Path) -> Iterator[tuple[str, str, str]]:
    """Triples of output, gold and kind, without end."""
    chance = random.Random(seed)
    while True:
        output = mutated(seeds, chance).replace("{}", str(canary))
        gold = mutated(seeds, chance) if chance.random() < 0.5 else "42"
        yield output, gold, chance.choice(KINDS)


def run(count: int, seed: int, seeds: list[bytes]) -> dict[str, Any]:
    """Grade `count` inputs and report what happened."""
    statuses: Counter[str] = Counter()
    slowest, failures, slow = 0.0, [], 0
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder) / "canary"
        for (output, gold, kind), _ in zip(inputs(seeds, seed, canary), range(count), strict=False):
            started = time.perf_counter()
            try:
                statuses[grade(output, gold, kind).status.value] += 1
            except Exception as error:  # noqa: BLE001 - whatever is raised is the finding
                failures.append(f"{type(error).__name__}: {error}: {output[-200:]!r} / {gold!r}")
            seconds = time.perf_counter() - started
            if seconds > SLOW_SECONDS:
                slow += 1
                print(f"slow, {seconds:.1f} s: {output[-200:]!r} / {gold[-200:]!r}")
            slowest = max(slowest, seconds)
        executed = canary.exists()
    for failure in failures[:10]:
        print(failure)
    return {
        "inputs": count,
        "seed": seed,
        "exceptions": len(failures),
        "over_3_s": slow,
        "executed": executed,
        "slowest_s": round(slowest, 2),
        "statuses": dict(statuses),
    }


def main() -> None:
    """Run the fuzz and print its JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help=f"only {QUICK_INPUTS} inputs")
    options = parser.parse_args()
    seeds = texts([*sorted((ROOT / "tests" / "cases").glob("*.jsonl")), *options.files])
    figures = run(QUICK_INPUTS if options.quick else options.inputs, options.seed, seeds)
    print_result("grading_fuzz", figures)


if __name__ == "__main__":
    main()
