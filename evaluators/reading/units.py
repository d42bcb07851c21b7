"""Units and nouns behind a value: synonyms of one unit agree, two known units differ."""

import re
from types import MappingProxyType

# One line a unit: the canonical name first, then what else is written for it, in small letters.
_TABLE = """
cm cms
mm
m
km kms
mg
g gm gms
kg kgs
s sec secs
mL ml
L l
J j
N n
W w
V v
Hz hz
kW kw
A amp amps
mol
atm atmosphere atmospheres
in inch inches
ft foot feet
yd yard yards yds
mi mile miles
lb pound pounds lbs
oz ounce ounces
t ton tons tonne tonnes
min minute minutes mins
h hr hour hours hrs
day days
week weeks
month months
year years yr yrs
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
percent percentage pct
am a.m. a.m
pm p.m. p.m
celsius
fahrenheit
stone
"""
# Units of science, which take every prefix: the symbol, then the names.
_SCIENCE = """
m meter meters metre metres
g gram grams gramme grammes
s second seconds
A ampere amperes
K kelvin kelvins
mol mole moles
cd candela candelas
Hz hertz
N newton newtons
Pa pascal pascals
J joule joules
W watt watts
V volt volts
C coulomb coulombs
F farad farads
H henry henries henrys
T tesla teslas
Wb weber webers
Ω ohm ohms
S siemens
Bq becquerel becquerels
Sv sievert sieverts
lm lumen lumens
lx lux
eV electronvolt electronvolts
L liter liters litre litres
cal calorie calories
Wh
bar bars
"""
_PREFIXES = (
    *(("", ""), ("T", "tera"), ("G", "giga"), ("M", "mega"), ("k", "kilo"), ("h", "hecto")),
    *(("d", "deci"), ("c", "centi"), ("m", "milli"), ("μ", "micro"), ("n", "nano")),
    *(("p", "pico"), ("f", "femto")),
)
_TABLED = {
    word: line.split()[0] for line in _TABLE.strip().splitlines() for word in line.lower().split()
}
_PREFIXED = [
    (prefix + symbol, [said + name for name in names])
    for symbol, *names in (line.split() for line in _SCIENCE.strip().splitlines())
    for prefix, said in _PREFIXES
]
# Symbols as they are written, but for `pm`, which is a time of day.
_SYMBOLS = frozenset(symbol for symbol, _ in _PREFIXED) - {"pm"}
_CANONICAL = MappingProxyType(
    {name: symbol for symbol, names in _PREFIXED for name in names} | _TABLED
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


def is_symbol(letters: str) -> bool:
    """Whether letters, as written, are a unit of science: `nm`, `kJ`, `T`."""
    return letters in _SYMBOLS


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
    for written in unit.split():
        word = written.lower()
        if word == "in" and names and sign > 0:
            break  # `8 hours in total`
        if written in _SYMBOLS or word in _CANONICAL or word in ("unit", "units"):
            names.append(written if written in _SYMBOLS else _CANONICAL.get(word, _ANY))
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
