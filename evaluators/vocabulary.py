"""Tables of the notations the lexer knows: LaTeX commands, Unicode signs, words, units."""

from types import MappingProxyType

FUNCTIONS = frozenset(
    "sin cos tan cot sec csc sinh cosh tanh coth sech csch arcsin arccos arctan arccot arcsec arccsc "
    "arcsinh arccosh arctanh exp ln log lg sqrt cbrt abs floor ceil max min gcd lcm det deg arg "
    "binom factorial sgn Re Im".split()
)
ALIASES = MappingProxyType(
    {
        "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh",
        "atanh": "arctanh", "cosec": "csc", "tg": "tan", "ctg": "cot", "arctg": "arctan",
        "arcctg": "arccot", "ceiling": "ceil", "sign": "sgn", "infinity": "oo", "infty": "oo",
        "inf": "oo", "Inf": "oo", "Infinity": "oo", "comb": "binom", "binomial": "binom",
        "arsinh": "arcsinh", "arcosh": "arccosh",
        "artanh": "arctanh", "PI": "pi", "Pi": "pi",
    }
)
GREEK = frozenset(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi "
    "rho varrho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma "
    "Upsilon Phi Psi Omega ell hbar omicron".split()
)
# LaTeX command -> (token kind, token text).
COMMANDS = MappingProxyType(
    {
        "cdot": ("op", "*"), "times": ("op", "*"), "ast": ("op", "*"), "div": ("op", "/"),
        "cdotp": ("op", "*"), "bullet": ("op", "*"), "over": ("op", "over"),
        "pm": ("op", "pm"), "mp": ("op", "mp"), "cup": ("op", "cup"), "cap": ("op", "cap"),
        "bigcup": ("op", "cup"), "bigcap": ("op", "cap"), "cupdot": ("op", "cup"),
        "sqcup": ("op", "cup"), "setminus": ("op", "setminus"), "backslash": ("op", "setminus"),
        "smallsetminus": ("op", "setminus"), "bmod": ("op", "mod"), "mod": ("op", "mod"),
        "circ": ("op", "deg"), "degree": ("op", "deg"), "textdegree": ("op", "deg"),
        "textcirc": ("op", "deg"), "prime": ("op", "'"), "colon": ("op", ":"), "mid": ("op", "mid"),
        "vert": ("bar", "|"), "lvert": ("open", "|"), "rvert": ("close", "|"),
        "Vert": ("bar", "||"), "lVert": ("open", "||"), "rVert": ("close", "||"), "|": ("bar", "||"),
        "lfloor": ("open", "floor"), "rfloor": ("close", "floor"), "lceil": ("open", "ceil"),
        "rceil": ("close", "ceil"), "langle": ("open", "<"), "rangle": ("close", "<"),
        "{": ("open", "set"), "}": ("close", "set"), "lbrace": ("open", "set"),
        "rbrace": ("close", "set"), "lbrack": ("open", "["), "rbrack": ("close", "]"),
        "le": ("rel", "<="), "leq": ("rel", "<="), "leqslant": ("rel", "<="), "leqq": ("rel", "<="),
        "ge": ("rel", ">="), "geq": ("rel", ">="), "geqslant": ("rel", ">="), "geqq": ("rel", ">="),
        "lt": ("rel", "<"), "gt": ("rel", ">"), "ne": ("rel", "!="), "neq": ("rel", "!="),
        "approx": ("rel", "~"), "approxeq": ("rel", "~"), "simeq": ("rel", "~"), "doteq": ("rel", "~"),
        "in": ("rel", "in"), "notin": ("rel", "notin"), "equiv": ("rel", "equiv"),
        "cong": ("rel", "equiv"), "sim": ("rel", "sim"), "colonequals": ("rel", "="),
        "subset": ("rel", "subset"), "subseteq": ("rel", "subset"), "perp": ("rel", "perp"),
        "parallel": ("rel", "parallel"), "mapsto": ("rel", "mapsto"),
        "implies": ("stop", "=>"), "Rightarrow": ("stop", "=>"), "Longrightarrow": ("stop", "=>"),
        "iff": ("stop", "=>"), "Leftrightarrow": ("stop", "=>"), "therefore": ("stop", "=>"),
        "Longleftrightarrow": ("stop", "=>"), "rightarrow": ("op", "to"), "to": ("op", "to"),
        "longrightarrow": ("op", "to"), "because": ("stop", "because"),
        "infty": ("sym", "oo"), "pi": ("sym", "pi"), "varnothing": ("sym", "EmptySet"),
        "emptyset": ("sym", "EmptySet"), "O": ("sym", "EmptySet"), "ldots": ("sym", "..."),
        "dots": ("sym", "..."), "cdots": ("sym", "..."), "dotsc": ("sym", "..."),
        "dotsm": ("sym", "..."), "dotsb": ("sym", "..."), "hdots": ("sym", "..."),
        "imath": ("sym", "i"), "quad": ("gap", " "), "qquad": ("gap", " "), "\\": ("row", "\\\\"),
        "cr": ("row", "\\\\"), "newline": ("row", "\\\\"), "%": ("op", "%"), "$": ("word", "dollars"),
        "euro": ("word", "euros"), "pounds": ("word", "pounds"), "land": ("word", "and"),
        "lor": ("word", "or"), "wedge": ("word", "and"), "vee": ("word", "or"), "R": ("sym", "Reals"),
        "forall": ("word", "for"), "exists": ("word", "where"), "&": ("word", "and"),
        "dfrac": ("fn", "frac"), "tfrac": ("fn", "frac"), "cfrac": ("fn", "frac"),
        "frac": ("fn", "frac"), "dbinom": ("fn", "binom"), "tbinom": ("fn", "binom"),
        "binom": ("fn", "binom"), "sum": ("fn", "sum"), "prod": ("fn", "prod"), "int": ("fn", "int"),
        "lim": ("fn", "lim"), "pmod": ("fn", "pmod"), "overline": ("fn", "overline"),
        "bar": ("fn", "overline"), "choose": ("op", "choose"), "sqrt": ("fn", "sqrt"),
        "pounds ": ("word", "pounds"), "xrightarrow": ("op", "to"), "triangle": ("sym", "triangle"),
        "partial": ("sym", "partial"), "nabla": ("sym", "nabla"), "not": ("rel", "not"),
    }
)
# Commands whose argument is running text, and commands that only change how things look.
TEXT_COMMANDS = frozenset(
    "text mbox textbf textit textrm texttt textsf textnormal mathrm operatorname hbox emph rm "
    "mathsf mathit textsc textup bf it mathtt".split()
)
IGNORED_COMMANDS = frozenset(
    "left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm Bigm middle , ; ! : > "
    "displaystyle textstyle scriptstyle limits nolimits thinspace medspace thickspace hfill "
    "mathbf boldsymbol bm mathcal mathfrak mathscr vec hat tilde widehat widetilde overrightarrow "
    "mathop mathrel mathord boxed fbox framebox underline underbrace overbrace angle measuredangle "
    "star blacksquare square Box qed hspace vspace smash bold pmb dot ddot enspace space negthinspace "
    "nonumber notag noindent par large Large LARGE small normalsize allowbreak nobreak strut "
    "mathstrut ensuremath checkmark bigstar item centering m".split()
)
# Commands whose braced argument is not part of the answer.
DROPPED_COMMANDS = frozenset({"tag", "label", "phantom", "hphantom", "vphantom", "hspace", "vspace",
                              "color", "textcolor", "ref", "eqref", "quad*", "xlabel", "pagecolor"})
CHARACTERS = MappingProxyType(
    {
        "+": ("op", "+"), "-": ("op", "-"), "−": ("op", "-"), "–": ("op", "-"), "—": ("op", "-"),
        "‐": ("op", "-"), "‑": ("op", "-"), "﹣": ("op", "-"), "*": ("op", "*"), "·": ("op", "*"), "⋅": ("op", "*"), "×": ("op", "*"),
        "∙": ("op", "*"), "•": ("op", "*"), "∗": ("op", "*"), "⁄": ("op", "/"), "∕": ("op", "/"),
        "/": ("op", "/"), "÷": ("op", "/"), "^": ("op", "^"), "_": ("op", "_"), "!": ("op", "!"),
        "'": ("op", "'"), "′": ("op", "'"), "’": ("op", "'"), "″": ("op", "''"), "%": ("op", "%"),
        "％": ("op", "%"), "°": ("op", "deg"), "º": ("op", "deg"), "˚": ("op", "deg"), "±": ("op", "pm"),
        "∓": ("op", "mp"), "∪": ("op", "cup"), "⋃": ("op", "cup"), "∩": ("op", "cap"),
        "∖": ("op", "setminus"), ":": ("op", ":"), "：": ("op", ":"), "∣": ("op", "mid"),
        "→": ("op", "to"), "⇒": ("stop", "=>"), "⟹": ("stop", "=>"), "∴": ("stop", "=>"),
        "⇔": ("stop", "=>"), "=": ("rel", "="), "<": ("rel", "<"), ">": ("rel", ">"),
        "＝": ("rel", "="), "＜": ("rel", "<"), "＞": ("rel", ">"),
        "≤": ("rel", "<="), "⩽": ("rel", "<="), "≦": ("rel", "<="), "≥": ("rel", ">="),
        "⩾": ("rel", ">="), "≧": ("rel", ">="), "≠": ("rel", "!="), "≈": ("rel", "~"),
        "≅": ("rel", "equiv"), "≡": ("rel", "equiv"), "∈": ("rel", "in"), "∉": ("rel", "notin"),
        "⊂": ("rel", "subset"), "⊆": ("rel", "subset"), ",": ("sep", ","), "，": ("sep", ","),
        "、": ("sep", ","), ";": ("sep", ";"), "；": ("sep", ";"), "(": ("open", "("),
        ")": ("close", ")"), "（": ("open", "("), "）": ("close", ")"), "[": ("open", "["),
        "]": ("close", "]"), "{": ("open", "{"), "}": ("close", "{"), "⟨": ("open", "<"),
        "⟩": ("close", "<"), "⌊": ("open", "floor"), "⌋": ("close", "floor"),
        "⌈": ("open", "ceil"), "⌉": ("close", "ceil"), "|": ("bar", "|"), "‖": ("bar", "||"),
        "&": ("cell", "&"), "∞": ("sym", "oo"), "∅": ("sym", "EmptySet"), "Ø": ("sym", "EmptySet"),
        "…": ("sym", "..."), "⋯": ("sym", "..."), "√": ("fn", "sqrt"), "∛": ("fn", "cbrt"),
        "∑": ("fn", "sum"), "∏": ("fn", "prod"), "∫": ("fn", "int"), "ℝ": ("sym", "Reals"),
        "ℤ": ("sym", "Integers"), "ℕ": ("sym", "Naturals"), "ℚ": ("sym", "Rationals"),
        "ℂ": ("sym", "Complexes"), "€": ("word", "euros"), "£": ("word", "pounds"),
        "¢": ("word", "cents"), "¥": ("word", "yen"), "∧": ("word", "and"), "∨": ("word", "or"),
        "∀": ("word", "for"),
    }
)
BLACKBOARD = MappingProxyType(
    {"R": "Reals", "Z": "Integers", "N": "Naturals", "Q": "Rationals", "C": "Complexes"}
)
GREEK_LETTERS = MappingProxyType(
    dict(
        zip(
            "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΣΦΨΩϕϵϑ",
            "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
            "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega phi epsilon "
            "theta".split(),
            strict=True,
        )
    )
)
SPELLINGS = MappingProxyType({"varphi": "phi", "varepsilon": "epsilon", "vartheta": "theta",
                              "varrho": "rho"})
NUMBER_WORDS = MappingProxyType(
    {
        word: value
        for value, word in enumerate(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
            "fifteen sixteen seventeen eighteen nineteen twenty".split()
        )
    }
)
# Words that bind statements or qualify them, rather than being answers.
JOINERS = frozenset({"and", "or", "und", "oder", "et", "ou", "y"})
QUALIFIERS = frozenset(
    "where when whenever for if with given because since such while assuming provided wherever "
    "unless which as but".split()
)
SHORT_WORDS = frozenset(
    "the is so we to of by it be are not all any has in on at as an no yes its our his her he she they "
    "you thus can may was one two six ten odd per sum way set box red day did get let now out too use "
    "who why how new old men man cat dog car pen may jan feb mar apr jun jul aug sep oct nov dec mon tue "
    "wed thu fri sat sun am pm none true cm mm km kg mg ft yd mi lb oz ml hr min sec mph kph gal usd th "
    "st nd rd pct deg rad gm tie nor mod".split()
)
