r"""LaTeX that lost or doubled its backslashes on the way through JSON: `\x0crac`, `\\\\frac`."""

import re

# A control character that was `\f`, `\b`, ... and the commands it can have begun.
_SWALLOWED = (
    ("\x0c", "f", "rac|orall"),
    ("\x08", "b", "oxed|ar|inom|eta|igl|igr|egin|mod|ot|ig"),
    ("\t", "t", "ext|frac|imes|heta|an|au|riangle"),
    ("\r", "r", "ight|ho|angle"),
    ("\x07", "a", "lpha|pprox|ngle"),
    ("\x0b", "v", "ec|arphi|arnothing"),
)
_LOST = re.compile("|".join(f"{char}(?=(?:{rest})(?![a-z]))" for char, _, rest in _SWALLOWED))
_LETTER = {char: letter for char, letter, _ in _SWALLOWED}
_DOUBLED = re.compile(
    r"\\\\(?=(?:[dt]?frac|left|right|sqrt|boxed|text|mathrm|pi|cdot|times|infty|cup|begin|end|"
    r"bigg?|Bigg?|sin|cos|tan|log|ln|leq?|geq?|pm|theta|alpha|beta|in|mathbb)(?![a-zA-Z]))"
)


def repaired(text: str) -> str:
    """The text with its backslashes put right; unchanged where nothing is wrong."""
    if _LOST.search(text):
        text = _LOST.sub(lambda match: f"\\{_LETTER[match.group()]}", text)
    if "\\\\" in text and not re.search(r"(?<!\\)\\(?:begin|frac|left)", text):
        text = _DOUBLED.sub(lambda _: "\\", text)
    return text
