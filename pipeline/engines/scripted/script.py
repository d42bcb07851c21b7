"""What a scripted engine says: rules from prompts to continuations, latencies and faults."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import UserMistake

Continuation = Callable[[str, int], str]
Digits = Callable[[str], tuple[float, ...]]
STEP_END = "\n\n"
DIGITS = 10
# A context in tokens that no test comes near.
UNLIMITED = 1_000_000
# The share of a scripted score's mass on the digit it names; the rest is spread over the others.
PEAK = 0.91


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds that a request takes: by token of its prompt and by token it writes."""

    prefill_token: float = 0.0
    decode_token: float = 0.0


@dataclass(frozen=True, slots=True)
class Faults:
    """Which requests go wrong, counted from 1 over the life of the engine object."""

    fail: frozenset[int] = frozenset()
    hang: frozenset[int] = frozenset()
    die: frozenset[int] = frozenset()


def _number(*parts: object) -> int:
    """A 64-bit number that depends on nothing but `parts`."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def default_continuation(prompt: str, seed: int) -> str:
    """A short chain with an answer that depends on the prompt and the seed only."""
    answer = _number("answer", prompt, seed) % 1000
    return f"Let me think.{STEP_END}The answer is {answer}.</think>{STEP_END}\\boxed{{{answer}}}"


def default_digits(prompt: str) -> tuple[float, ...]:
    """Ten probabilities that depend on the prompt only, none of them zero."""
    weights = [1 + _number("digit", prompt, digit) % 1000 for digit in range(DIGITS)]
    return tuple(weight / sum(weights) for weight in weights)


@dataclass(frozen=True, slots=True)
class Script:
    """All that a scripted engine does. Both functions must be pure.

    `continuation` gives the text up to the end of text for (prompt text, seed); `digits` the
    probabilities of '0' to '9' as the next token. `context` is in tokens (bytes).
    """

    continuation: Continuation = default_continuation
    digits: Digits = default_digits
    latency: Latency = field(default_factory=Latency)
    faults: Faults = field(default_factory=Faults)
    context: int = UNLIMITED


@dataclass(frozen=True, slots=True)
class Rule:
    """What is said to prompts that contain `when`: one of `texts` by seed, a score by `digits`."""

    when: str
    texts: tuple[str, ...]
    digits: tuple[float, ...] | None

    def continuation(self, prompt: str, seed: int) -> str:
        """The text by this seed, from where the prompt has already got to in it."""
        text = self.texts[seed % len(self.texts)]
        return text[_steps_already_there(prompt, text) :]


def _steps_already_there(prompt: str, text: str) -> int:
    """The length of the longest run of whole steps of `text` that `prompt` ends with."""
    end = text.rfind(STEP_END)
    while end >= 0:
        length = end + len(STEP_END)
        if prompt.endswith(text[:length]):
            return length
        end = text.rfind(STEP_END, 0, end)
    return 0


def from_rules(
    rules: tuple[Rule, ...],
    latency: Latency | None = None,
    faults: Faults | None = None,
    context: int = UNLIMITED,
) -> Script:
    """A script in which the first rule that fits speaks, and the default where none does."""

    def continuation(prompt: str, seed: int) -> str:
        for rule in rules:
            if rule.texts and rule.when in prompt:
                return rule.continuation(prompt, seed)
        return default_continuation(prompt, seed)

    def digits(prompt: str) -> tuple[float, ...]:
        for rule in rules:
            if rule.digits and rule.when in prompt:
                return rule.digits
        return default_digits(prompt)

    return Script(continuation, digits, latency or Latency(), faults or Faults(), context)


def _rule(row: dict[str, Any]) -> Rule:
    """One rule of a script file; raises KeyError, TypeError or ValueError for a bad one."""
    unknown = row.keys() - {"when", "text", "texts", "score", "digits"}
    if unknown:
        raise ValueError(f"unknown field {min(unknown)!r}")
    texts = [row["text"]] if "text" in row else row.get("texts", [])
    digits = row.get("digits")
    if "score" in row:
        rest = (1 - PEAK) / (DIGITS - 1)
        digits = [PEAK if digit == int(row["score"]) else rest for digit in range(DIGITS)]
    if digits is not None and (len(digits) != DIGITS or min(digits) <= 0):
        raise ValueError("digits must be ten probabilities above zero")
    return Rule(str(row["when"]), tuple(map(str, texts)), tuple(digits) if digits else None)


def _parse_jsonl(text: str) -> Script:
    rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    return from_rules(tuple(map(_rule, rows)))


def _parse_json(text: str) -> Script:
    body = json.loads(text)
    unknown = body.keys() - {"rules", "latency", "faults", "context"}
    if unknown:
        raise ValueError(f"unknown field {min(unknown)!r}")
    faults = {kind: frozenset(numbers) for kind, numbers in body.get("faults", {}).items()}
    return from_rules(
        tuple(map(_rule, body.get("rules", []))),
        Latency(**body.get("latency", {})),
        Faults(**faults),
        int(body.get("context", UNLIMITED)),
    )


def load_script(path: Path) -> Script:
    """Read a script file: JSON (`rules`, `latency`, `faults`, `context`), or JSONL of rules.

    Raises `UserMistake` when it cannot be read or does not have that shape.
    """
    if path.exists() and not path.is_file():  # a pipe that nobody writes to would be waited for
        raise UserMistake(f"the script {path} is a pipe or a folder; give a file")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserMistake(f"the script {path} cannot be read: {error.strerror}") from error
    try:
        return _parse_jsonl(text) if path.suffix == ".jsonl" else _parse_json(text)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserMistake(
            f"the script {path} is malformed ({error}); it is JSON with rules, latency, faults "
            "and context, or JSONL with one rule per line: when, and text, texts, score or digits"
        ) from error
