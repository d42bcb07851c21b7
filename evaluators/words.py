"""Words the lexer knows: functions, names, numbers, and words that bind or qualify statements."""

from types import MappingProxyType


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _list(text: str) -> list[str]:
    return text.split()


FUNCTIONS = _words(
    """
    sin cos tan cot sec csc sinh cosh tanh coth sech csch arcsin arccos arctan arccot arcsec
    arccsc arcsinh arccosh arctanh exp ln log lg sqrt cbrt abs floor ceil max min gcd lcm det
    deg arg binom factorial sgn Re Im
    """
)
ALIASES = MappingProxyType(
    {
        "asin": "arcsin",
        "acos": "arccos",
        "atan": "arctan",
        "asinh": "arcsinh",
        "acosh": "arccosh",
        "atanh": "arctanh",
        "cosec": "csc",
        "tg": "tan",
        "ctg": "cot",
        "arctg": "arctan",
        "arcctg": "arccot",
        "ceiling": "ceil",
        "sign": "sgn",
        "infinity": "oo",
        "infty": "oo",
        "inf": "oo",
        "Inf": "oo",
        "Infinity": "oo",
        "comb": "binom",
        "binomial": "binom",
        "arsinh": "arcsinh",
        "arcosh": "arccosh",
        "artanh": "arctanh",
        "PI": "pi",
        "Pi": "pi",
    }
)
GREEK = _words(
    """
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu
    xi rho varrho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma
    Upsilon Phi Psi Omega ell hbar omicron
    """
)
SPELLINGS = MappingProxyType(
    {"varphi": "phi", "varepsilon": "epsilon", "vartheta": "theta", "varrho": "rho"}
)
NUMBER_WORDS = MappingProxyType(
    {
        word: value
        for value, word in enumerate(
            _list(
                """
                zero one two three four five six seven eight nine ten eleven twelve
                thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty
                """
            )
        )
    }
)
# Words that bind statements or qualify them, rather than being answers.
JOINERS = frozenset({"and", "or", "und", "oder", "et", "ou", "y"})
QUALIFIERS = _words(
    """
    where when whenever for if with given because since such while assuming provided wherever
    unless which as but
    """
)
# Words after which a derivation goes on to what it found.
CONCLUSIONS = _words(
    """
    so thus therefore hence then giving gives yields implies implying consequently
    """
)
# Phrases that name a set.
PHRASES = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "all real numbers",
                "all reals",
                "real numbers",
                "any real number",
                "the real numbers",
                "all real",
            ),
            "Reals",
        ),
        **dict.fromkeys(
            (
                "no solution",
                "no solutions",
                "no real solution",
                "no real solutions",
                "empty set",
                "the empty set",
                "no such numbers exist",
                "no values",
            ),
            "EmptySet",
        ),
    }
)
SHORT_WORDS = _words(
    """
    the is so we to of by it be are not all any has in on at as an no yes its our his her he
    she they you thus can may was one two six ten odd per sum way set box red day did get let
    now out too use who why how new old men man cat dog car pen jan feb mar apr jun jul aug
    sep oct nov dec mon tue wed thu fri sat sun am pm none true cm mm km kg mg ft yd mi lb oz
    ml hr min sec mph kph gal usd th st nd rd pct deg rad gm tie nor mod
    """
)
