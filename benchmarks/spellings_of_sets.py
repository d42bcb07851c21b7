# fmt: off
# ruff: noqa: RUF001, E501, D103 - templates read best unbroken, and in signs of other scripts
"""Points, lists, sets and conditions: many right spellings of one value, and near misses of it."""

from fractions import Fraction

from drawn import Chance, Drawn, frac, plain


def point(c: Chance) -> Drawn:
    a, b = c.sample(range(-9, 10), 2)
    z = c.randint(2, 9)
    half = Fraction(2 * z + 1, 2)
    triple = c.random() < 0.35
    items = [str(a), str(b)] + ([frac(half)] if triple else [])
    other = [str(a), str(b)] + ([plain(half)] if triple else [])
    gold = f"({', '.join(items)})"
    names = ["x", "y", "z"]
    right = [gold, f"({','.join(items)})", f"\\left({', '.join(items)}\\right)", ", ".join(items), f"({', '.join(other)})", f"({' , '.join(items)})", f"\\langle {', '.join(items)} \\rangle", f"({'; '.join(items)})", f"P = {gold}", f"\\bigl({', '.join(items)}\\bigr)", "(" + ",\\ ".join(items) + ")", "\\left( " + ",\\; ".join(items) + " \\right)"]
    right += [", ".join(f"{n} = {i}" for n, i in zip(names, items, strict=False)), f"({', '.join(names[: len(items)])}) = {gold}", "; ".join(f"{n}={i}" for n, i in zip(names, items, strict=False)), " \\text{ and } ".join(f"{n} = {i}" for n, i in zip(names, items, strict=False)), f"\\text{{The point is }} {gold}", f"（{'，'.join(items)}）", "\\begin{pmatrix} " + " \\\\ ".join(items) + " \\end{pmatrix}"]
    swapped = [items[1], items[0], *items[2:]]
    wrong = [f"({', '.join(swapped)})", f"\\{{{', '.join(items)}\\}}", f"({', '.join([*items, '1'])})", f"({items[0]}, {int(items[1]) + 1}{''.join(', ' + i for i in items[2:])})", f"({', '.join([str(-int(items[0]) if int(items[0]) else 5), *items[1:]])})", items[0], f"x = {items[1]}, y = {items[0]}" + (f", z = {items[2]}" if triple else ""), f"{gold}, (0, 0)"]
    return Drawn([gold], right, wrong)


def listing(c: Chance) -> Drawn:
    values = c.sample(range(-20, 40), c.randint(2, 4))
    items = [str(v) for v in values]
    mixed = c.sample(items, len(items))
    joined = ", ".join(items)
    gold = c.choice([joined, f"\\{{{joined}\\}}"])
    braces = gold.startswith("\\")
    right = [joined, ",".join(mixed), f"{', '.join(mixed[:-1])} and {mixed[-1]}", f"{', '.join(mixed[:-1])}\\text{{ and }}{mixed[-1]}", "; ".join(mixed), f"x = {joined}", ", ".join(f"x = {i}" for i in mixed), " \\text{ or } ".join(f"x = {i}" for i in mixed), f"x \\in \\{{{joined}\\}}", ",\\ ".join(items), ",\\quad ".join(mixed), f"{', '.join(mixed[:-1])}, \\text{{and }} {mixed[-1]}"]
    right += [f"\\{{{','.join(mixed)}\\}}", f"\\left\\{{ {', '.join(mixed)} \\right\\}}", f"\\lbrace {joined} \\rbrace", ", ".join(f"x_{n + 1} = {i}" for n, i in enumerate(items)), f"{{{','.join(mixed)}}}", f"\\text{{{', '.join(mixed[:-1])} and {mixed[-1]}}}"]
    changed = [*items[:-1], str(values[-1] + 1 + 50)]
    wrong = [", ".join(items[:-1]) if len(items) > 2 else items[0], f"{joined}, 77", ", ".join(changed), f"\\{{{', '.join(changed)}\\}}", f"{', '.join(items[:-1])}, {-values[-1] or 3}"]
    if braces:
        wrong += [f"({joined})", f"[{joined}]"]
    return Drawn([gold], right, wrong)


def _interval_forms(low: str, high: str, left: bool, right: bool) -> list[str]:
    lb, rb = ("[" if left else "("), ("]" if right else ")")
    lo, ro = ("\\le" if left else "<"), ("\\le" if right else "<")
    lu, ru = ("≤" if left else "<"), ("≤" if right else "<")
    go = "\\ge" if left else ">"
    back = ("\\ge" if right else ">"), ("\\ge" if left else ">")
    return [
        f"{lb}{low}, {high}{rb}", f"{lb}{low},{high}{rb}", f"\\left{lb}{low}, {high}\\right{rb}", f"{low} {lo} x {ro} {high}",
        f"{low} {lu} x {ru} {high}", f"x \\in {lb}{low}, {high}{rb}", f"x∈{lb}{low},{high}{rb}", f"{high} {back[0]} x {back[1]} {low}",
        f"\\{{x \\mid {low} {lo} x {ro} {high}\\}}", f"\\{{x : {low} {lo} x {ro} {high}\\}}", f"\\{{ x \\in \\mathbb{{R}} \\mid {low} {lo} x {ro} {high} \\}}",
        f"{lb}{low}; {high}{rb}", f"\\left\\{{x \\,\\middle|\\, {low} {lo} x {ro} {high}\\right\\}}", f"x {go} {low} \\text{{ and }} x {ro} {high}",
        f"{low} {lo.replace('le', 'leq')} x {ro.replace('le', 'leqslant')} {high}", f"{low}{lu.replace('≤', '<=')}x{ru.replace('≤', '<=')}{high}", f"\\text{{x}} \\in {lb}{low}, {high}{rb}",
        f"({low}, {high})" if not (left or right) else f"{lb}{low},\\ {high}{rb}", f"x \\in {lb} {low} , {high} {rb}.", f"\\{{x\\in\\mathbb R: {low}{lo} x{ro} {high}\\}}",
    ]  # fmt: skip


def interval(c: Chance) -> Drawn:
    a = c.randint(-9, 5)
    b = a + c.randint(2, 9)
    low, high = (str(a), c.choice([str(b), f"\\frac{{{2 * b + 1}}}{{2}}", f"{b}\\pi", f"{abs(b) + 9}"]))
    left, right = c.random() < 0.5, c.random() < 0.5
    if "pi" in high and b <= a / 3:
        high = str(b)
    forms = _interval_forms(low, high, left, right)
    wrong = [*c.sample(_interval_forms(low, high, not left, right)[:12], 2), *c.sample(_interval_forms(low, high, left, not right)[:12], 2), *c.sample(_interval_forms(str(a - 1), high, left, right), 2), f"\\{{{low}, {high}\\}}", low]
    return Drawn([forms[0], forms[3]] if left or right else [forms[3], forms[5]], forms, wrong)


def union(c: Chance) -> Drawn:
    a = c.randint(-9, 4)
    b = a + c.randint(2, 8)
    closed = c.random() < 0.5
    lt, gt = ("\\le", "\\ge") if closed else ("<", ">")
    lu, gu = ("≤", "≥") if closed else ("<", ">")
    lb, rb = ("]", "[") if closed else (")", "(")
    mid, r = Fraction(a + b, 2), Fraction(b - a, 2)
    shifted = f"|x - {plain(mid)}|" if mid > 0 else f"|x + {plain(-mid)}|" if mid else "|x|"
    hole = f"({a}, {b})" if closed else f"[{a}, {b}]"
    forms = [f"(-\\infty, {a}{lb} \\cup {rb}{b}, \\infty)", f"(-\\infty,{a}{lb}\\cup{rb}{b},+\\infty)", f"x {lt} {a} \\text{{ or }} x {gt} {b}", f"x {gt} {b} \\text{{ or }} x {lt} {a}", f"(−∞,{a}{lb}∪{rb}{b},∞)", f"{shifted} {gt} {plain(r)}", f"x {lu} {a} or x {gu} {b}", f"\\mathbb{{R}} \\setminus {hole}", f"\\{{x \\mid x {lt} {a} \\text{{ or }} x {gt} {b}\\}}", f"x \\in (-\\infty, {a}{lb} \\cup {rb}{b}, \\infty)", f"(-inf,{a}{lb} U {rb}{b},inf)", f"\\left(-\\infty,{a}\\right{lb}\\cup\\left{rb}{b},\\infty\\right)", f"x {lt} {a} \\lor x {gt} {b}", f"{rb}{b}, \\infty) \\cup (-\\infty, {a}{lb}", f"x{lt} {a}\\quad\\text{{or}}\\quad x{gt} {b}", f"x {lt} {a}, \\ x {gt} {b}"]
    ol, og = ("<", ">") if closed else ("\\le", "\\ge")
    wrong = [f"x {ol} {a} \\text{{ or }} x {gt} {b}", f"x {lt} {a} \\text{{ or }} x {og} {b}", f"(-\\infty, {a - 1}{lb} \\cup {rb}{b}, \\infty)", f"{a} {lt} x {lt} {b}", f"x {lt} {a} \\text{{ and }} x {gt} {b}", f"(-\\infty, {a}{lb}", f"(-\\infty, {b}{lb} \\cup {rb}{a}, \\infty)", f"x {gt} {a} \\text{{ or }} x {lt} {b}"]
    return Drawn([forms[0], forms[2]], forms, wrong)


def excluded(c: Chance) -> Drawn:
    a = c.randint(-9, 9)
    forms = [f"x \\ne {a}", f"x \\neq {a}", f"\\mathbb{{R}} \\setminus \\{{{a}\\}}", f"(-\\infty, {a}) \\cup ({a}, \\infty)", f"x ≠ {a}", f"x \\in \\mathbb{{R}}, x \\neq {a}", f"\\text{{all real numbers except }} {a}", f"\\{{x \\mid x \\ne {a}\\}}", f"\\mathbb{{R}} - \\{{{a}\\}}", f"x < {a} \\text{{ or }} x > {a}", f"\\text{{all real }} x \\ne {a}", f"ℝ \\ {{{a}}}", f"x \\not= {a}", f"\\{{x \\in \\mathbb{{R}} : x \\neq {a}\\}}"]
    wrong = [f"x \\ne {a + 1}", "\\mathbb{R}", f"x = {a}", f"x > {a}", f"(-\\infty, {a}] \\cup ({a}, \\infty)", f"{a}", f"x \\ne {a}, {a + 2}"]
    return Drawn([forms[0], forms[2], forms[3]], forms, wrong)


def inequality(c: Chance) -> Drawn:
    a, k = c.randint(-9, 12), c.randint(2, 5)
    strict = c.random() < 0.5
    gt, lt = (">", "<") if strict else ("\\ge", "\\le")
    gu = ">" if strict else "≥"
    lb = "(" if strict else "["
    forms = [f"x {gt} {a}", f"{a} {lt} x", f"{k}x {gt} {k * a}", f"{lb}{a}, \\infty)", f"-x {lt} {-a}", f"x \\in {lb}{a}, \\infty)", f"x {gu} {a}", f"x - {a} {gt} 0" if a >= 0 else f"x + {-a} {gt} 0", f"\\{{x \\mid x {gt} {a}\\}}", f"{lb}{a},+\\infty)", f"x{gt} {a}.", f"{lb}{a},∞)", f"\\text{{x }} {gt} {a}"]
    flip, og = lt, ("\\ge" if strict else ">")
    wrong = [f"x {flip} {a}", f"x {og} {a}", f"x {gt} {a + 1}", f"(-\\infty, {a})", f"x = {a}", f"{a}", f"x {gt} {-a or 1}"]
    return Drawn([forms[0], forms[3]], forms, wrong)


def matrix(c: Chance) -> Drawn:
    m = [[c.randint(-9, 9) for _ in range(2)] for _ in range(2)]
    if m[0][1] == m[1][0]:
        m[0][1] += 1

    def body(x: list[list[int]]) -> str:
        return " \\\\ ".join(" & ".join(map(str, row)) for row in x)

    def env(name: str, x: list[list[int]]) -> str:
        return f"\\begin{{{name}}} {body(x)} \\end{{{name}}}"

    gold = env("pmatrix", m)
    right = [gold, env("bmatrix", m), f"\\left[\\begin{{array}}{{cc}} {body(m)} \\end{{array}}\\right]", f"\\left(\\begin{{array}}{{rr}} {body(m)} \\end{{array}}\\right)", f"[[{m[0][0]},{m[0][1]}],[{m[1][0]},{m[1][1]}]]", f"A = {gold}", f"\\begin{{pmatrix}}{body(m)}\\\\ \\end{{pmatrix}}", f"\\left( {env('matrix', m)} \\right)", env("bmatrix", m).replace(" & ", "&"), f"[[{m[0][0]}, {m[0][1]}], [{m[1][0]}, {m[1][1]}]]", f"\\left(\\begin{{smallmatrix}} {body(m)} \\end{{smallmatrix}}\\right)"]
    changed = [list(row) for row in m]
    changed[c.randrange(2)][c.randrange(2)] += 1
    wrong = [env("pmatrix", changed), env("bmatrix", [list(r) for r in zip(*m, strict=True)]), f"({m[0][0]}, {m[0][1]}, {m[1][0]}, {m[1][1]})", env("vmatrix", m), env("pmatrix", [[-v for v in row] for row in m] if any(map(any, m)) else changed), f"2{gold}" if any(map(any, m)) else env("pmatrix", changed)]
    return Drawn([gold, env("bmatrix", m)], right, wrong)


def family(c: Chance) -> Drawn:
    q = c.choice([2, 3, 4, 6])
    gold = f"\\frac{{\\pi}}{{{q}}} + k\\pi"
    right = [gold, f"x = \\frac{{\\pi}}{{{q}}} + k\\pi", f"\\frac{{\\pi}}{{{q}}} + n\\pi", f"{gold}, k \\in \\mathbb{{Z}}", f"k\\pi + \\frac{{\\pi}}{{{q}}}", f"\\frac{{\\pi}}{{{q}}} + \\pi n, n \\in \\mathbb{{Z}}", f"π/{q} + kπ", f"x=\\frac{{\\pi}}{{{q}}}+\\pi k \\quad (k\\in\\mathbb{{Z}})", f"\\frac{{\\pi(1+{q}k)}}{{{q}}}", f"{gold} \\text{{ for integer }} k", f"\\frac{{\\pi}}{{{q}}} - k\\pi", f"x = \\frac{{\\pi}}{{{q}}} + m\\pi \\text{{ where }} m \\text{{ is an integer}}"]
    wrong = [f"\\frac{{\\pi}}{{{q}}} + 2k\\pi", f"\\frac{{\\pi}}{{{q + 1}}} + k\\pi", f"\\frac{{\\pi}}{{{q}}}", "k\\pi", f"\\frac{{\\pi}}{{{q}}} + \\frac{{k\\pi}}{{2}}"]
    return Drawn([gold, f"{gold}, k \\in \\mathbb{{Z}}"], right, wrong)


def nothing(c: Chance) -> Drawn:
    gold = c.choice(["\\emptyset", "\\text{no solution}", "\\text{no real solutions}"])
    right = ["\\emptyset", "\\varnothing", "no solution", "\\text{no solution}", "\\text{no solutions}", "∅", "No solution.", "\\{\\}", "\\text{There is no solution}", "no real solutions", "\\text{no real solution}", "there are no solutions", "x \\in \\emptyset"]
    return Drawn([gold], right, ["0", "\\mathbb{R}", "x = 0", "\\{0\\}", "\\text{infinitely many solutions}", "\\text{one solution}"])


def ordered_names(c: Chance) -> Drawn:
    a, b, d = c.sample(range(1, 30), 3)
    gold = f"a = {a}, b = {b}, c = {d}"
    right = [gold, f"b = {b}, a = {a}, c = {d}", f"(a, b, c) = ({a}, {b}, {d})", f"({a}, {b}, {d})", f"a={a};\\ b={b};\\ c={d}", f"a = {a}, b = {b}, \\text{{ and }} c = {d}", f"c={d}, b={b}, a={a}", f"a = {a}, \\, b = {b}, \\, c = {d}", f"\\begin{{cases}} a = {a} \\\\ b = {b} \\\\ c = {d} \\end{{cases}}", f"a = {a} \\\\ b = {b} \\\\ c = {d}", f"{a}, {b}, {d}", f"a:{a}, b:{b}, c:{d}"]
    wrong = [f"a = {b}, b = {a}, c = {d}", f"a = {a}, b = {b}", f"({b}, {a}, {d})", f"a = {a}, b = {b}, c = {d + 1}", f"a = {a}, b = {d}, c = {b}"]
    return Drawn([gold], right, wrong)
