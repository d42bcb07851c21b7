"""Words the lexer knows: functions, names, numbers, and words that bind or qualify statements."""

from types import MappingProxyType


def word_set(text: str) -> frozenset[str]:
    """The words of a text that are apart by blanks or line ends."""
    return frozenset(text.split())


def _list(text: str) -> list[str]:
    return text.split()


FUNCTIONS = word_set(
    """
    sin cos tan cot sec csc sinh cosh tanh coth sech csch arcsin arccos arctan arccot arcsec
    arccsc arcsinh arccosh arctanh exp ln log lg sqrt cbrt abs floor ceil max min gcd lcm det
    deg arg binom factorial sgn Re Im cis erf erfc
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
GREEK = word_set(
    """
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu
    xi rho varrho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma
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
QUALIFIERS = word_set(
    """
    where when whenever for if with given because since such while assuming provided wherever
    unless which as but
    """
)
# Words that begin what only leads up to an answer: `in total, 204`.
INTRODUCTIONS = word_set(
    """
    in after overall altogether finally lastly indeed now yes for by from on with without at
    including ignoring counting clearly together next again once then
    """
)
# Words that qualify before these only: `such that`, and not `the least such n`.
PAIRED_QUALIFIERS = MappingProxyType(
    {
        "such": word_set("that as"),
        **dict.fromkeys(
            ("attained", "achieved", "reached"), word_set("at when by for if iff only")
        ),
    }
)
# Verbs behind which a value is stated.
COPULAS = word_set("is are be was were equals")
# Words after which a derivation goes on to what it found.
CONCLUSIONS = word_set(
    """
    so thus therefore hence then giving gives yields implies implying consequently
    """
)
# Phrases that name a set, without `all`, `the`, `there are` before it; what each is in notation.
PHRASES = MappingProxyType(
    {
        **dict.fromkeys(("real numbers", "reals", "real", "real number"), "\\mathbb{R}"),
        **dict.fromkeys(("positive real numbers", "positive reals"), "(0, \\infty)"),
        **dict.fromkeys(("negative real numbers", "negative reals"), "(-\\infty, 0)"),
        **dict.fromkeys(("nonnegative real numbers", "nonnegative reals"), "[0, \\infty)"),
        **dict.fromkeys(("nonpositive real numbers", "nonpositive reals"), "(-\\infty, 0]"),
        **dict.fromkeys(("nonzero real numbers", "nonzero reals"), "(-\\infty,0)\\cup(0,\\infty)"),
        **dict.fromkeys(
            (
                *("no solution", "no solutions", "no real solution", "no real solutions"),
                *("empty set", "no such numbers exist", "no values", "none", "no solution exists"),
                *("no solutions exist", "no real solutions exist"),
            ),
            "\\emptyset",
        ),
    }
)
# Words before a phrase that do not change it.
BEFORE_PHRASES = word_set("all any every the there is are")
SHORT_WORDS = word_set(
    """
    the is so we to of by it be are not all any has in on at as an no yes its our his her he
    she they you thus can may was one two six ten odd per sum way set box red day did get let
    now out too us dne use who why how new old men man cat dog car pen jan feb mar apr jun jul aug
    sep oct nov dec mon tue wed thu fri sat sun am pm none true cm mm km kg mg ft yd mi lb oz
    ml hr min sec mph kph gal usd sq cu th st nd rd pct deg rad gm tie nor mod
    """
)
