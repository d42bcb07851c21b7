"""Characters beyond ASCII that are no letter, digit or known sign: which of them matter."""

import unicodedata

# Unicode categories: blanks and formatting, quotation marks and brackets of other scripts.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})
_TYPOGRAPHY = frozenset({"Pi", "Pf", "Ps", "Pe", "Pd", "Pc"})
_PUNCTUATION = frozenset("¿¡‥")


def role(char: str) -> str:
    """The token kind of such a character; empty for one that only changes how things look.

    Pictures and ticks beside an answer are marks; currencies are words; every other sign, above
    all one of mathematics or one drawn over a digit, is unknown and so never read over.
    """
    category = unicodedata.category(char)
    if category in _INVISIBLE or category in _TYPOGRAPHY or char in _PUNCTUATION:
        return ""
    if category == "Mn" and unicodedata.name(char, "").startswith("VARIATION SELECTOR"):
        return ""
    return {"So": "mark", "Sc": "word"}.get(category, "unknown")
