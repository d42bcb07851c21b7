"""Units and nouns behind a value: synonyms of one unit agree, two known units differ."""

import re
from types import MappingProxyType

# One line a unit: the canonical name first, then what else is written for it.
_TABLE = """
cm centimeter centimeters centimetre centimetres cms
mm millimeter millimeters millimetre millimetres
m meter meters metre metres
km kilometer kilometers kilometre kilometres kms
in inch inches
ft foot feet
yd yard yards yds
mi mile miles
mg milligram milligrams
g gram grams gm gms
kg kilogram kilograms kgs kilogramme kilogrammes
lb pound pounds lbs
oz ounce ounces
t ton tons tonne tonnes
s sec second seconds secs
min minute minutes mins
h hr hour hours hrs
day days
week weeks
month months
year years yr yrs
ml milliliter milliliters millilitre millilitres
l liter liters litre litres
gal gallon gallons
cup cups
quart quarts
pint pints
dollar dollars usd bucks
cent cents
euro euros
yuan
rupee rupees rs
yen
deg degree degrees
rad radian radians
mph
kph kmh
j joule joules
n newton newtons
w watt watts
v volt volts
hz hertz
percent percentage pct
am a.m. a.m
pm p.m. p.m
celsius
fahrenheit
kelvin kelvins
amp amps ampere amperes
ohm ohms
kw kilowatt kilowatts
stone
"""
_CANONICAL = MappingProxyType(
    {word: line.split()[0] for line in _TABLE.strip().splitlines() for word in line.split()}
)
# Units that a letter or two could also mean as variables: read as units only in running text.
AMBIGUOUS = frozenset({"m", "s", "g", "h", "l", "t", "n", "w", "v", "j", "in", "y", "rs"})
# Words that, behind a value, belong to it.
UNIT_WORDS = frozenset(_CANONICAL) - AMBIGUOUS | frozenset({"m", "s", "g", "h", "square", "cubic"})
_RATES = MappingProxyType({"kph": {"km": 1, "h": -1}, "mph": {"mi": 1, "h": -1}})
# A unit that is not named: of it only the power counts.
_ANY = "unit"
_FILLER = frozenset({"of", "the", "a", "an", "in", "total", "exactly", "only", "about"})
_POWERS = MappingProxyType({"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cubed": 3, "cu": 3})
_EXPONENT = re.compile(r"\^-?\d")


def is_unit(word: str) -> bool:
    """Whether a word is a known unit and nothing else."""
    return word.lower() in _CANONICAL and word.lower() not in AMBIGUOUS


def canonical(unit: str) -> str | None:
    """The canonical form of a written unit; None when it is no known unit but a noun."""
    powers = _powers(unit)
    if powers is None:
        return None
    order = sorted(powers.items(), key=lambda item: (item[1] < 0, item[0]))
    return " ".join(name if power == 1 else f"{name}^{power}" for name, power in order)


def _powers(unit: str) -> dict[str, int] | None:
    """The units of a product and their powers: `km/h`, `m s^-2`, `square feet`, `cm squared`."""
    names: list[str] = []
    powers: list[int] = []
    sign, raised = 1, 0
    unit = unit.replace("^", " ^").replace("/", " / ").replace("*", " ")
    for word in unit.lower().split():
        if word in _CANONICAL or word in ("unit", "units"):
            names.append(_CANONICAL.get(word, _ANY))
            powers.append(sign * (raised or 1))
            sign, raised = 1, 0
        elif word in _POWERS and (not names or not word.endswith("ed")):
            raised = _POWERS[word]
        elif (word in _POWERS or _EXPONENT.fullmatch(word)) and names:
            powers[-1] *= _POWERS.get(word) or int(word[1:])
        elif word in ("/", "per"):
            sign = -1
        elif word not in _FILLER and (not names or sign < 0):
            return None
        elif word not in _FILLER:
            break
    if raised and names:
        powers[-1] *= raised
    total: dict[str, int] = {}
    for name, power in zip(names, powers, strict=True):
        for part, count in _RATES.get(name, {name: 1}).items():
            total[part] = total.get(part, 0) + power * count
    return total or None


def contradict(a: str, b: str) -> bool:
    """Whether an answer's unit `b` is known and not the known `a`; it may leave out a power."""
    left, right = _powers(a), _powers(b)
    if left is None or right is None:
        return _counts_groups(a, b) or _counts_groups(b, a)
    unnamed = _ANY in left or _ANY in right
    plain = len(left) == len(right) == 1 and set(right.values()) == {1}
    if unnamed:
        return sorted(left.values()) != sorted(right.values()) and not plain
    return left != right and not (plain and left.keys() == right.keys())


def _counts_groups(groups: str, single: str) -> bool:
    """`pairs of apples` beside `apples`: groups of what the other counts one by one."""
    head, _, rest = groups.lower().partition(" of ")
    return bool(head.split()) and bool(rest) and head not in _FILLER and rest == single.lower()
