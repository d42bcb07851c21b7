"""Units and nouns behind a value: synonyms of one unit agree, two known units differ."""

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
_SPEEDS = MappingProxyType({"km/h": "kph", "mi/h": "mph"})
_FILLER = frozenset({"of", "the", "a", "an", "in", "total", "exactly", "only", "about"})
_SQUARES = MappingProxyType(
    {"square": "^2", "sq": "^2", "squared": "^2", "cubic": "^3", "cubed": "^3", "cu": "^3"}
)


def is_unit(word: str) -> bool:
    """Whether a word is a known unit and nothing else."""
    return word.lower() in _CANONICAL and word.lower() not in AMBIGUOUS


def canonical(unit: str) -> str | None:
    """The canonical form of a written unit; None when it is no known unit but a noun."""
    power, names = "", []
    for word in unit.lower().replace("^", " ^").replace("/", " / ").split():
        if word in _SQUARES:
            power = _SQUARES[word]
        elif word.startswith("^"):
            names.append(word)
        elif word in ("/", "per"):
            names.append("/")
        elif word in _CANONICAL:
            names.append(_CANONICAL[word])
        elif word not in _FILLER and (not names or names[-1] == "/"):
            return None
        elif word not in _FILLER:
            break
    joined = "".join(names) + power
    return _SPEEDS.get(joined, joined) if names else None


def contradict(a: str, b: str) -> bool:
    """Whether an answer's unit `b` is known and not the known `a`; it may leave out a power."""
    left, right = canonical(a), canonical(b)
    if left is None or right is None:
        return False
    (first, _, power), (second, _, other) = left.partition("^"), right.partition("^")
    rate = "/" in first
    return first != second or (power != other and (rate or bool(other)))
