"""LaTeX commands the lexer knows: what each is, and which do not matter."""

from types import MappingProxyType


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# LaTeX command -> (token kind, token text).
COMMANDS = MappingProxyType(
    {
        "cdot": ("op", "*"),
        "times": ("op", "*"),
        "ast": ("op", "*"),
        "div": ("op", "/"),
        "cdotp": ("op", "*"),
        "bullet": ("op", "*"),
        "over": ("op", "over"),
        "pm": ("op", "pm"),
        "mp": ("op", "mp"),
        "cup": ("op", "cup"),
        "cap": ("op", "cap"),
        "bigcup": ("op", "cup"),
        "bigcap": ("op", "cap"),
        "cupdot": ("op", "cup"),
        "sqcup": ("op", "cup"),
        "setminus": ("op", "setminus"),
        "backslash": ("op", "setminus"),
        "smallsetminus": ("op", "setminus"),
        "bmod": ("op", "mod"),
        "mod": ("op", "modulo"),
        "circ": ("op", "deg"),
        "degree": ("op", "deg"),
        "textdegree": ("op", "deg"),
        "textcirc": ("op", "deg"),
        "prime": ("op", "'"),
        "colon": ("op", ":"),
        "mid": ("op", "mid"),
        "vert": ("bar", "|"),
        "lvert": ("open", "|"),
        "rvert": ("close", "|"),
        "Vert": ("bar", "||"),
        "lVert": ("open", "||"),
        "rVert": ("close", "||"),
        "|": ("bar", "||"),
        "lfloor": ("open", "floor"),
        "rfloor": ("close", "floor"),
        "lceil": ("open", "ceil"),
        "rceil": ("close", "ceil"),
        "langle": ("open", "<"),
        "rangle": ("close", "<"),
        "{": ("open", "set"),
        "}": ("close", "set"),
        "lbrace": ("open", "set"),
        "rbrace": ("close", "set"),
        "lbrack": ("open", "["),
        "rbrack": ("close", "]"),
        "le": ("rel", "<="),
        "leq": ("rel", "<="),
        "leqslant": ("rel", "<="),
        "leqq": ("rel", "<="),
        "ge": ("rel", ">="),
        "geq": ("rel", ">="),
        "geqslant": ("rel", ">="),
        "geqq": ("rel", ">="),
        "lt": ("rel", "<"),
        "gt": ("rel", ">"),
        "ne": ("rel", "!="),
        "neq": ("rel", "!="),
        "approx": ("rel", "~"),
        "approxeq": ("rel", "~"),
        "simeq": ("rel", "~"),
        "doteq": ("rel", "~"),
        "in": ("rel", "in"),
        "notin": ("rel", "notin"),
        "equiv": ("rel", "equiv"),
        "cong": ("rel", "equiv"),
        "sim": ("rel", "sim"),
        "colonequals": ("rel", "="),
        "subset": ("rel", "subset"),
        "subseteq": ("rel", "subset"),
        "perp": ("rel", "perp"),
        "parallel": ("rel", "parallel"),
        "mapsto": ("rel", "mapsto"),
        "implies": ("stop", "=>"),
        "Rightarrow": ("stop", "=>"),
        "Longrightarrow": ("stop", "=>"),
        "iff": ("stop", "=>"),
        "Leftrightarrow": ("stop", "=>"),
        "therefore": ("stop", "=>"),
        "Longleftrightarrow": ("stop", "=>"),
        "rightarrow": ("op", "to"),
        "to": ("op", "to"),
        "longrightarrow": ("op", "to"),
        "because": ("stop", "because"),
        "infty": ("sym", "oo"),
        "pi": ("sym", "pi"),
        "varnothing": ("sym", "EmptySet"),
        "emptyset": ("sym", "EmptySet"),
        "O": ("sym", "EmptySet"),
        "ldots": ("sym", "..."),
        "dots": ("sym", "..."),
        "cdots": ("sym", "..."),
        "dotsc": ("sym", "..."),
        "dotsm": ("sym", "..."),
        "dotsb": ("sym", "..."),
        "hdots": ("sym", "..."),
        "imath": ("sym", "i"),
        "quad": ("gap", " "),
        "qquad": ("gap", " "),
        "\\": ("row", "\\\\"),
        "cr": ("row", "\\\\"),
        "newline": ("row", "\\\\"),
        "%": ("op", "%"),
        "$": ("money", "dollars"),
        "textdollar": ("money", "dollars"),
        "mathdollar": ("money", "dollars"),
        "euro": ("money", "euros"),
        "pounds": ("money", "pounds"),
        "land": ("word", "and"),
        "lor": ("word", "or"),
        "wedge": ("word", "and"),
        "vee": ("word", "or"),
        "R": ("sym", "Reals"),
        "forall": ("word", "for"),
        "exists": ("word", "where"),
        "&": ("word", "and"),
        "dfrac": ("fn", "frac"),
        "tfrac": ("fn", "frac"),
        "nicefrac": ("fn", "frac"),
        "sfrac": ("fn", "frac"),
        "cfrac": ("fn", "frac"),
        "frac": ("fn", "frac"),
        "dbinom": ("fn", "binom"),
        "tbinom": ("fn", "binom"),
        "binom": ("fn", "binom"),
        "sum": ("fn", "sum"),
        "prod": ("fn", "prod"),
        "int": ("fn", "int"),
        "lim": ("fn", "lim"),
        "pmod": ("fn", "pmod"),
        "choose": ("op", "choose"),
        "sqrt": ("fn", "sqrt"),
        "surd": ("fn", "sqrt"),
        "pounds ": ("word", "pounds"),
        "xrightarrow": ("op", "to"),
        "triangle": ("sym", "triangle"),
        "top": ("sym", "T"),
        "intercal": ("sym", "T"),
        "partial": ("sym", "partial"),
        "nabla": ("sym", "nabla"),
        "not": ("rel", "not"),
    }
)
# Commands whose argument is running text, and commands that only change how things look.
TEXT_COMMANDS = _words(
    """
    text mbox textbf textit textrm texttt textsf textnormal mathrm hbox emph rm
    mathsf mathit textsc textup bf it mathtt
    """
)
IGNORED_COMMANDS = _words(
    """
    left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm Bigm middle
    , ; ! : > - / @ " displaystyle textstyle scriptstyle limits nolimits thinspace medspace
    thickspace
    hfill mathbf boldsymbol bm mathcal mathfrak mathscr mathop mathrel mathord boxed fbox framebox
    underline underbrace overbrace hspace vspace smash bold pmb enspace space negthinspace
    nonumber notag noindent par large Large LARGE small normalsize
    mathbin mathpunct mathinner hline toprule midrule bottomrule
    allowbreak nobreak strut mathstrut ensuremath item centering
    """
)
# Signs drawn beside an answer that are no part of it: the end of a proof, a tick.
MARKS = _words("star bigstar blacksquare square Box qed checkmark")
# Accents that only say what kind of thing a name names, and accents that make another name.
ARROWS = _words("vec overrightarrow widehat")
ACCENTS = _words("hat tilde widetilde dot ddot bar overline")
# Environments: lists of rows, grids, determinants, and those that only lay out.
ENVIRONMENTS = MappingProxyType(
    {
        **dict.fromkeys(("cases", "dcases", "rcases"), "env:cases"),
        **dict.fromkeys(
            (
                *("matrix", "pmatrix", "bmatrix", "Bmatrix", "smallmatrix", "psmallmatrix"),
                *("bsmallmatrix", "array", "tabular"),
            ),
            "env:matrix",
        ),
        "vmatrix": "env:det",
        **dict.fromkeys(
            _words(
                """
                aligned align gather gathered equation split document eqnarray alignedat alignat
                flalign multline multlined math displaymath center flushleft flushright
                """
            ),
            "",
        ),
    }
)
# Commands whose braced argument is not part of the answer.
DROPPED_COMMANDS = frozenset(
    {
        "tag",
        "label",
        "phantom",
        "hphantom",
        "vphantom",
        "hspace",
        "vspace",
        "color",
        "textcolor",
        "ref",
        "eqref",
        "quad*",
        "xlabel",
        "pagecolor",
        "cline",
        "colorbox",
    }
)
BLACKBOARD = MappingProxyType(
    {"R": "Reals", "Z": "Integers", "N": "Naturals", "Q": "Rationals", "C": "Complexes"}
)
