"""Words beside a formula: units, nouns and labels, and the words that deny or change its value."""

from dataclasses import dataclass

from evaluators.nodes import Unreadable
from evaluators.reading.tokens import Token
from evaluators.reading.tree import Group, Item
from evaluators.reading.units import canonical, is_unit
from evaluators.reading.words import NUMBER_WORDS

WORD = frozenset({"word"})
_DENIALS = frozenset({"not", "isn't", "never", "except", "neither", "nor", "no"})
# Words that, before or after a value, make another value or only a bound of it.
BOUNDS = frozenset({("at", "least"), ("at", "most"), ("up", "to"), ("or", "more"), ("or", "less")})
# Words that a value may follow as what is stated; any other may change it, and is not read.
_LEADING = frozenset(
    [
        "is",
        "are",
        "be",
        "was",
        "on",
        "de",
        "were",
        "equals",
        "equal",
        "has",
        "have",
        "get",
        "gets",
        "find",
        "found",
        "that",
        "real",
        "need",
        "add",
        "must",
        "exactly",
        "only",
        "it's",
        "its",
        "it",
        "at",
        "by",
        "to",
        "yes",
        "answer",
        "value",
        "result",
        "solution",
        "solutions",
        "root",
        "total",
        "sum",
        "area",
        "volume",
        "distance",
        "length",
        "width",
        "height",
        "perimeter",
        "radius",
        "cost",
        "price",
        "minimum",
        "maximum",
        "min",
        "max",
        "largest",
        "smallest",
        "greatest",
        "probability",
        "about",
        "around",
        "approximately",
        "roughly",
        "approx",
        "nearly",
        "all",
        "ans",
        "lautet",
        "ist",
        "est",
        "sind",
        "son",
        "son",
        "sono",
        "es",
        "est",
        "está",
        "usd",
        "ml",
        "dollar",
    ]
) | {"pay", "pays", "paid", "cost", "costs", "spend", "spends", "spent"}
_LEADING |= {"earn", "earns", "earned", "owes", "take", "takes", "took"}
# After these alone `to` announces a value, and after those `by` does not: not *close to*.
_BEFORE_TO = frozenset(
    """
    equal equals equivalent simplifies simplify evaluates evaluate reduces reduce comes came
    amounts leads led adds up works boils down sums computes rounds rounded converges tends
    corresponds set according increases decreases changes grows rises falls drops goes points
    """.split()  # noqa: SIM905 - a list of words reads better as a text
)
_BEFORE_BY = frozenset({"divisible", "divided", "multiplied", "bounded", "off"})
# Behind a value: words that end its noun, words that say nothing, and words that are no noun.
_PREPOSITIONS = frozenset(
    [
        "of",
        "in",
        "on",
        "to",
        "for",
        "from",
        "per",
        "at",
        "that",
        "long",
        "wide",
        "tall",
        "high",
        "deep",
        "old",
    ]
)
_IDLE = frozenset(
    [
        "left",
        "remaining",
        "total",
        "altogether",
        "each",
        "only",
        "exactly",
        "approximately",
        "around",
        "about",
        "again",
        "away",
        "long",
        "wide",
        "tall",
        "high",
        "deep",
        "old",
        "answer",
        "solution",
        "result",
        "value",
        "integer",
        "number",
        "possibility",
        "our",
        "the",
        "final",
        "correct",
        "is",
        "are",
        "in",
        "order",
        "repeating",
        "recurring",
        "of",
        "them",
        "any",
        "text",
    ]
)
_NO_NOUNS = frozenset(
    [
        "gross",
        "score",
        "scores",
        "tens",
        "hundreds",
        "thousands",
        "millions",
        "billions",
        "dozens",
        "quarters",
        "halves",
        "thirds",
        "fourths",
        "fifths",
        "tenths",
        "hundredths",
        "thousandths",
        "millionths",
        "too",
        "lakhs",
        "crores",
        "times",
        "fails",
        "works",
        "does",
        "was",
        "has",
        "exists",
        "holds",
        "exceeds",
        "plus",
        "minus",
        "less",
        "lower",
        "upper",
        "bound",
        "bounds",
        "below",
        "above",
        "under",
        "over",
        "more",
        "fewer",
        "inverse",
        "remainder",
        "modulo",
        "power",
        "powers",
        "root",
        "roots",
        "factorial",
        "tripled",
        "doubled",
        "halved",
        "negated",
        "excluded",
        "th",
        "st",
        "nd",
        "rd",
    ]
)
_PLURALS = frozenset(
    [
        "people",
        "men",
        "women",
        "children",
        "mice",
        "geese",
        "feet",
        "teeth",
        "fish",
        "sheep",
        "dice",
        "unit",
    ]
)
_PARTICLES = frozenset({"by", "into", "with", "and", "or", "nor", "unless", "if"})
# Words behind a one that are no noun, beside those above.
_NO_SINGULARS = frozenset(
    [
        "maybe",
        "perhaps",
        "mod",
        "short",
        "off",
        "too",
        "mil",
        "bil",
        "where",
        "not",
        "else",
        "extra",
        "and",
        "but",
        "gives",
        "would",
        "could",
        "might",
        "because",
    ]
)
# A noun of more words than this is a sentence.
_MAX_NOUN = 4
CHANGED_AFTER = frozenset({"squared", "cubed", "factorial"})
REJECTED = frozenset({"wrong", "incorrect", "false", "rejected", "impossible"})
_PRONOUNS = frozenset({"it", "this", "that", "actually", "really"})
_NUMBER = frozenset({"num"})
_UNIT_SIGNS = ("^", "/", "-", "*")
# Letters run together between signs are a product up to this many, a word beyond.
LONGEST_NAME = 5
LETTER_UNITS = frozenset(
    {"m", "s", "g", "h", "l", "L", "J", "N", "W", "V", "K", "A", "T", "C", "F", "H"}
)


@dataclass(slots=True)
class Run:
    """Neighbouring items that are all words, or all formula."""

    wordy: bool
    items: list[Item]


def is_denied(before: list[Run]) -> bool:
    """Whether the words just before a formula say that it is not the answer."""
    words = before[-1].items[-2:] if before else []
    return any(isinstance(word, Token) and word.text.lower() in _DENIALS for word in words)


def is_altered(runs: list[Run], at: int) -> bool:
    """Whether the words around a formula change its value, bound it, reject it or apply to it."""
    before, after = (
        [word.lower() for run in side for word in words_of(run.items).split()]
        for side in (runs[:at], runs[at + 1 :])
    )
    named = [word for word in before if word not in ("the", "a", "an")][-2:]
    beside = words_of(runs[at - 1].items).split() if at else []
    first = runs[at].items[0]
    applied = (
        bool(before) and isinstance(first, Group) and first.opening == "(" and not first.spaced
    )
    ranged = beside == ["to"] and at > 1
    return (
        applied
        or ranged
        or tuple(named) in BOUNDS
        or tuple(after[:2]) in BOUNDS
        or not (_leads(beside) or _is_computation(runs[at]))
        or bool(runs[at + 1 :] and not _is_noun(words_of(runs[at + 1].items).split(), runs[at]))
        or bool(REJECTED.intersection(after))
        or bool(after and (after[0] in CHANGED_AFTER and len(after) == 1))
        or "than" in after
        or "not" in after
    )


def _is_computation(run: Run) -> bool:
    """`25 % of 60 = 0.25 * 60 = 15`: words before a computation are about its left side."""
    kinds = {item.kind if isinstance(item, Token) else "group" for item in run.items}
    return (
        is_kind(run.items[0], frozenset({"num", "rel"})) and "rel" in kinds and "sym" not in kinds
    )


def _leads(words: list[str]) -> bool:
    """Whether the words just before a value only announce it; other scripts are not told apart."""
    said = [word.lower() for word in words if word.lower() not in ("the", "a", "an")]
    if not said:
        return not words
    if said[-1] == "to" and len(said) > 1:
        return said[-2] in _BEFORE_TO
    if said[-1] == "by" and len(said) > 1:
        return said[-2] not in _BEFORE_BY
    return said[-1] in _LEADING or not said[-1].isascii() or said[-1:] == ["except"]


def _is_noun(words: list[str], value: Run) -> bool:
    """Whether the words just behind a value are its unit, or what it counts."""
    said = [word.lower() for word in words]
    if not said or not " ".join(said).isascii():
        return True
    if said == ["works"]:
        return True
    if not _NO_NOUNS.isdisjoint(said) or said[0] in CHANGED_AFTER:
        return False
    if canonical(" ".join(words)) is not None or all(word in _IDLE for word in said):
        return True
    end = next((i for i, word in enumerate(said) if i and word in _PREPOSITIONS), len(said))
    noun = said[:end]
    while noun and noun[-1] in _IDLE:
        noun.pop()
    if not 0 < len(noun) <= _MAX_NOUN:
        return not noun
    plural = noun[-1].endswith("s") or noun[-1] in _PLURALS or noun[-1].startswith("^")
    return plural or (_is_one(value) and _is_singular(noun))


def _is_one(value: Run) -> bool:
    *before, last = value.items
    alone = not before or is_kind(before[-1], frozenset({"rel"}))
    return alone and isinstance(last, Token) and last.kind == "num" and last.value == 1


def _is_singular(words: list[str]) -> bool:
    """Whether the words may be the noun of which there is one: `ticket`, `ordered pair`."""
    *before, noun = words
    changed = any(word in NUMBER_WORDS or word in _PARTICLES for word in words)
    other = noun.endswith(("ly", "wise")) or (not before and noun.endswith(("ed", "ing", "ive")))
    known = noun in _NO_SINGULARS or f"{noun}s" in _NO_NOUNS or changed or other
    return len(noun) > 2 and noun.isalpha() and not known  # noqa: PLR2004


def unit_of(items: list[Item], after: list[Run]) -> str:
    """The unit of a formula: the words behind it, else the currency sign in it.

    Raises Unreadable for several currencies.
    """
    if after:
        return words_of(after[0].items)
    signs = {item.text for item in items if isinstance(item, Token) and item.kind == "money"}
    if len(signs) > 1:
        raise Unreadable("several currencies")
    return signs.pop() if signs else ""


def is_taken_back(behind: list[Item]) -> bool:
    """Whether what follows a value's *but* denies it: *not 43*, *that is wrong*, *it is 43*."""
    said = words_of(behind).lower().split()
    other = said[:1] and said[0] in _PRONOUNS and any(is_kind(item, _NUMBER) for item in behind)
    return bool(other) or said[:1] == ["not"] or not REJECTED.isdisjoint(said)


def runs_of(items: list[Item]) -> list[Run]:
    """The items as runs of words and runs of formula."""
    runs: list[Run] = []
    for index, item in enumerate(items):
        wordy = _wordy(items, index)
        if runs and runs[-1].wordy and not wordy and len(runs) > 1 and _extends_unit(items, index):
            wordy = True
        if runs and runs[-1].wordy == wordy:
            runs[-1].items.append(item)
        else:
            runs.append(Run(wordy, [item]))
    return runs


def _wordy(items: list[Item], index: int) -> bool:
    item = items[index]
    if isinstance(item, Group):
        script = index > 0 and is_sign(items[index - 1], "^_")
        return (
            bool(item.items)
            and len(items) > 1
            and not script
            and all(is_kind(inner, WORD) for inner in item.items)
        )
    if item.kind != "word":
        return False
    if len(item.text) > 1 or not item.text.isascii():
        return not _is_product(items, index)
    if len(items) == 1:
        return True
    before = items[index - 1] if index else None
    after = items[index + 1] if index + 1 < len(items) else None
    if before is not None and (item.text in LETTER_UNITS or is_kind(before, WORD)):
        return not isinstance(before, Token) or before.kind in ("num", "word", "sym")
    return after is not None and is_kind(after, WORD)


def _is_product(items: list[Item], index: int) -> bool:
    """Letters run together that a formula continues: `abcd/4`, `rate*time`."""
    item = items[index]
    if isinstance(item, Group) or item.prose or len(item.text) > LONGEST_NAME:
        return False
    neighbours = items[max(0, index - 1) : index] + items[index + 1 : index + 2]
    return any(
        isinstance(n, Token) and n.kind == "op" and n.text in ("+", "-", "*", "/", "_")
        for n in neighbours
    ) and not is_unit(item.text)


def _extends_unit(items: list[Item], index: int) -> bool:
    """Powers, slashes and hyphens inside a unit: `cm^2`, `km/h`."""
    item, previous = items[index], items[index - 1]
    if isinstance(item, Token) and item.kind == "op" and item.text in ("-", "*"):
        return is_kind(previous, WORD) and are_words(items[index + 1 : index + 2] or [item])
    if isinstance(item, Token) and item.kind == "op" and item.text in _UNIT_SIGNS:
        return index + 1 < len(items)
    return isinstance(previous, Token) and previous.kind == "op" and previous.text in _UNIT_SIGNS


def words_of(run: list[Item]) -> str:
    """The words of a run, powers joined to their units."""
    pieces: list[str] = []
    for item in run:
        if isinstance(item, Token):
            pieces.append(item.text)
        else:
            texts = [i.text for i in item.items if isinstance(i, Token)]
            pieces += ["".join(texts)] if pieces[-1:] == ["^"] else texts
    return " ".join(pieces).replace("^ ", "^")


def is_kind(item: Item, kinds: frozenset[str]) -> bool:
    """Whether the item is a token of one of the kinds."""
    return isinstance(item, Token) and item.kind in kinds


def is_sign(item: Item, signs: str) -> bool:
    """Whether the item is one of the operator signs."""
    return isinstance(item, Token) and item.kind == "op" and item.text in signs


def are_words(items: list[Item]) -> bool:
    """Whether the items are words and nothing else."""
    return all(is_kind(item, WORD) for item in items)
