"""Words beside a formula: units, nouns and labels, and the words that deny or change its value."""

from evaluators.nodes import Unreadable
from evaluators.reading.tokens import Token
from evaluators.reading.tree import Group, Item
from evaluators.reading.units import canonical
from evaluators.reading.word_runs import Run, is_kind, words_of
from evaluators.reading.words import NUMBER_WORDS, word_set

_DENIALS = frozenset({"not", "isn't", "never", "except", "neither", "nor", "no"})
# Words that, before or after a value, make another value or only a bound of it.
BOUNDS = frozenset({("at", "least"), ("at", "most"), ("up", "to"), ("or", "more"), ("or", "less")})
# Words that a value may follow as what is stated; any other may change it, and is not read.
_LEADING = word_set(
    """
    is are be was on de were equals equal has have get gets find found that real need add must
    exactly only it's its it at by to yes answer value result solution solutions root total
    sum area volume distance length width height perimeter radius cost price minimum maximum
    min max largest smallest greatest probability about around approximately roughly approx
    nearly all ans lautet ist est sind son sono es está usd ml dollar pay pays paid costs
    spend spends spent earn earns earned owes take takes took
    """
)
# After these alone `to` announces a value, and after those `by` does not: not *close to*.
_BEFORE_TO = word_set(
    """
    equal equals equivalent simplifies simplify evaluates evaluate reduces reduce comes came
    amounts leads led adds up works boils down sums computes rounds rounded converges tends
    corresponds set according increases decreases changes grows rises falls drops goes points
    """
)
_BEFORE_BY = frozenset({"divisible", "divided", "multiplied", "bounded", "off"})
# Behind a value: words that end its noun, words that say nothing, and words that are no noun.
_PREPOSITIONS = word_set(
    """
    of in on to for from per at that long wide tall high deep old
    """
)
_IDLE = word_set(
    """
    left remaining total altogether each only exactly approximately around about again away
    long wide tall high deep old answer solution result value integer number possibility our
    the final correct is are in order repeating recurring of them any text
    """
)
_NO_NOUNS = word_set(
    """
    gross score scores tens hundreds thousands millions billions dozens quarters halves thirds
    fourths fifths tenths hundredths thousandths millionths too lakhs crores times fails works
    does was has exists holds exceeds plus minus less lower upper bound bounds below above
    under over more fewer inverse remainder modulo power powers root roots factorial tripled
    doubled halved negated excluded th st nd rd
    """
)
_PLURALS = word_set(
    """
    people men women children mice geese feet teeth fish sheep dice unit
    """
)
_PARTICLES = frozenset({"by", "into", "with", "and", "or", "nor", "unless", "if"})
# Words behind a one that are no noun, beside those above.
_NO_SINGULARS = word_set(
    """
    maybe perhaps mod short off too mil bil where not else extra and but gives would could
    might because
    """
)
# A noun of more words than this is a sentence.
_MAX_NOUN = 4
CHANGED_AFTER = frozenset({"squared", "cubed", "factorial"})
REJECTED = frozenset({"wrong", "incorrect", "false", "rejected", "impossible"})
_PRONOUNS = frozenset({"it", "this", "that", "actually", "really"})
_NUMBER = frozenset({"num"})


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
