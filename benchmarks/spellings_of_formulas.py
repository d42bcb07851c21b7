# fmt: off
# ruff: noqa: E501, D103 - templates read best unbroken
"""Formulas: many right spellings of one value, and near misses of it."""

import math

from drawn import Chance, Drawn, signed


def radical(c: Chance) -> Drawn:
    a, b = c.randint(2, 9), c.choice([2, 3, 5, 6, 7, 10, 11, 13])
    d = c.randint(2, 7)
    gold = f"{a}\\sqrt{{{b}}}"
    right = [gold, f"\\sqrt{{{a * a * b}}}", f"{a}*sqrt({b})", f"{a}√{b}", f"{a}\\cdot\\sqrt{{{b}}}", f"{a} \\cdot {b}^{{1/2}}", f"\\sqrt{{{b}}}\\cdot {a}", f"{a}\\sqrt {b}" if b < 10 else gold]
    right += [f"\\frac{{{a * b}}}{{\\sqrt{{{b}}}}}", f"{a}√({b})", f"{a} \\, \\sqrt{{{b}}}", f"{a}{{\\sqrt{{{b}}}}}", f"x={gold}", f"{a}\\sqrt[2]{{{b}}}", f"{a * math.sqrt(b):.8f}", f"{a}\\cdot{b}^{{0.5}}", f"{a}×√{b}", f"sqrt({a * a * b})"]
    wrong = [f"{a}\\sqrt{{{b + 1}}}", f"{a + 1}\\sqrt{{{b}}}", f"-{gold}", f"{a}\\sqrt[3]{{{b}}}", f"{a * b}", f"{a * math.sqrt(b):.2f}", f"\\sqrt{{{a * b}}}", f"\\pm {gold}", f"{a}+\\sqrt{{{b}}}", f"{a * math.sqrt(b) * 1.0001:.7f}", f"{a}\\sqrt{{{b}}}i"]
    if c.random() < 0.5:
        gold = f"{d} + {a}\\sqrt{{{b}}}"
        right = [gold, f"{a}\\sqrt{{{b}}}+{d}", f"{d}+{a}√{b}", f"{d}+{a}*sqrt({b})", f"\\sqrt{{{a * a * b}}}+{d}", f"\\frac{{{2 * d}+{2 * a}\\sqrt{{{b}}}}}{{2}}", f"{d} + \\sqrt{{{a * a * b}}}", f"({d}+{a}\\sqrt{{{b}}})", f"-(-{d}-{a}\\sqrt{{{b}}})", f"{d}+{a}\\cdot {b}^{{\\frac12}}"]
        wrong = [f"{d}-{a}\\sqrt{{{b}}}", f"{a}+{d}\\sqrt{{{b}}}" if a != d else f"{d}", f"{d + 1}+{a}\\sqrt{{{b}}}", f"{d}\\cdot{a}\\sqrt{{{b}}}", f"\\sqrt{{{d}}}+{a}\\sqrt{{{b}}}", f"{d} \\pm {a}\\sqrt{{{b}}}"]
    return Drawn([gold], right, wrong)


def logarithm(c: Chance) -> Drawn:
    a, b = c.choice([2, 3, 5, 7]), c.choice([6, 10, 11, 12, 15])
    k = c.randint(2, 5)
    if c.random() < 0.5:
        gold = f"\\log_{{{a}}} {b}"
        right = [gold, f"\\log_{a} {b}", f"\\frac{{\\ln {b}}}{{\\ln {a}}}", f"\\frac{{\\log {b}}}{{\\log {a}}}", f"log_{a}({b})", f"\\log_{a}({b})", f"\\log_{{{a}}}\\left({b}\\right)", f"ln({b})/ln({a})", f"\\frac{{1}}{{\\log_{{{b}}} {a}}}", f"\\log_{a}{{{b}}}"]
        wrong = [f"\\log_{{{b}}} {a}", f"\\log_{{{a}}} {b + 1}", f"\\ln {b}", f"\\frac{{\\ln {a}}}{{\\ln {b}}}", f"{a}\\log {b}", f"-\\log_{{{a}}} {b}"]
    else:
        gold = f"{k}\\ln {a}"
        right = [gold, f"\\ln {a**k}", f"\\ln({a}^{k})", f"{k}ln({a})", f"{k} \\log_e {a}", f"\\ln {a} \\cdot {k}", f"{k}\\ln({a})", f"{k} \\, \\ln {a}", f"-{k}\\ln\\frac{{1}}{{{a}}}", f"{k}\\cdot\\ln{{{a}}}", f"x={k}\\ln{a}"]
        wrong = [f"{k + 1}\\ln {a}", f"\\ln {a * k + 1}", f"{k}\\ln {a + 1}", f"(\\ln {a})^{k}", f"-{k}\\ln {a}", f"{k}\\log_2 {a + 2}"]
    return Drawn([gold], right, wrong)


def complex_number(c: Chance) -> Drawn:
    a, b = c.randint(1, 12) * c.choice([1, -1]), c.randint(2, 12) * c.choice([1, -1])
    gold = f"{a}{signed(b).replace(' ', '')}i"
    s = signed(b)
    right = [gold, f"{a} {s} i", f"{b}i + {a}" if a > 0 else f"{b}i - {-a}", f"{a} {s}\\mathrm{{i}}", f"{a} {s} \\cdot i", f"z = {gold}", f"{a} + ({b})i", f"{a}{s.replace(' ', '')}*i", f"({gold})", f"{a}{'+' if b > 0 else '-'}i{abs(b)}", f"{a}{'+' if b > 0 else '-'}{abs(b)}\\,i"]
    wrong = [f"{a} {signed(-b)}i", f"{-a} {s}i", f"{b} {signed(a)}i" if a != b else f"{a}", f"{a} {signed(b + 1)}i", f"{a} {s}", f"{a} {s}j + 1", f"{a} {s}i^2"]
    return Drawn([gold], right, wrong)


def polynomial(c: Chance) -> Drawn:
    r, s = c.sample([1, 2, 3, 4, 5, 6, 7, -1, -2, -3, -4, -5], 2)
    p, q = -(r + s), r * s
    v = c.choice(["x", "t", "n", "a", "y"])
    lin = f" {signed(p)}{v}" if p else ""
    gold = f"{v}^2{lin} {signed(q)}"
    f1, f2 = (f"({v}{signed(-z).replace(' ', '')})" for z in (r, s))
    right = [gold, gold.replace("^2", "^{2}"), f"{f1}{f2}", f"{f2}{f1}", f"{f1}\\cdot {f2}", gold.replace("^2", "²"), gold.replace("^2", "**2").replace(f"{v} ", f"*{v} ") if p else gold, f"{q}{lin}+{v}^2", f"{v}({v} {signed(p)}) {signed(q)}", f"{f1}*{f2}", f"\\left({v}{signed(-r)}\\right)\\left({v}{signed(-s)}\\right)", f"f({v})={gold}"]
    wrong = [f"{v}^2{lin} {signed(-q)}", f"{v}^3{lin} {signed(q)}", f"{v}^2 {signed(p + 1)}{v} {signed(q)}", f"-{v}^2{lin} {signed(q)}", f"{gold} = 0", f"{f1}", f"{f1}+{f2}", f"2({gold})", gold.replace(v, "w")]
    return Drawn([gold, f"{f1}{f2}"], right, wrong)


def rational_function(c: Chance) -> Drawn:
    a, b, k = c.randint(1, 7), c.randint(2, 9), c.randint(2, 5)
    gold = f"\\frac{{x+{a}}}{{{k}x-{b}}}"
    right = [gold, f"(x+{a})/({k}x-{b})", f"\\frac{{-x-{a}}}{{{b}-{k}x}}", f"\\dfrac{{x+{a}}}{{{k}x-{b}}}", f"\\frac{{x}}{{{k}x-{b}}}+\\frac{{{a}}}{{{k}x-{b}}}", f"(x+{a})({k}x-{b})^{{-1}}", f"\\frac{{2x+{2 * a}}}{{{2 * k}x-{2 * b}}}", f"y = {gold}", f"-\\frac{{x+{a}}}{{{b}-{k}x}}", f"\\frac{{{a}+x}}{{-{b}+{k}x}}", f"{{x+{a}\\over {k}x-{b}}}"]
    wrong = [f"\\frac{{x-{a}}}{{{k}x-{b}}}", f"\\frac{{x+{a}}}{{{k}x+{b}}}", f"x+{a}/({k}x-{b})", f"(x+{a})/{k}x-{b}", f"\\frac{{{k}x-{b}}}{{x+{a}}}", f"\\frac{{x+{a + 1}}}{{{k}x-{b}}}"]
    return Drawn([gold], right, wrong)


def line(c: Chance) -> Drawn:
    m, b = c.choice([2, 3, -2, -3, 4, 5]), c.choice([-7, -4, -1, 1, 3, 5, 8])
    gold = f"y = {m}x {signed(b)}"
    right = [gold, f"y={m}x{signed(b).replace(' ', '')}", f"{m}x - y {signed(b)} = 0", f"y - {m}x = {b}" if m > 0 else f"y + {-m}x = {b}", f"{2 * m}x - 2y {signed(2 * b)} = 0", f"f(x) = {m}x {signed(b)}", f"{m}x {signed(b)}", f"y = {b} {signed(m)}x", f"{m}x {signed(b)} = y", f"y(x) = {m}x {signed(b)}", f"-y {signed(m)}x {signed(b)} = 0", f"\\text{{The line is }} {gold}"]
    wrong = [f"y = {m}x {signed(-b)}", f"y = {-m}x {signed(b)}", f"y = {m}x", f"x = {m}y {signed(b)}", f"y = {m + 1}x {signed(b)}", f"y > {m}x {signed(b)}", f"{m}", f"{m}x - y {signed(-b)} = 0"]
    return Drawn([gold], right, wrong)


def circle(c: Chance) -> Drawn:
    h, k, r = c.randint(1, 6), c.randint(1, 6), c.randint(2, 9)
    gold = f"(x-{h})^2 + (y+{k})^2 = {r * r}"
    right = [gold, f"(x-{h})^2+(y+{k})^2={r}^2", f"x^2 + y^2 - {2 * h}x + {2 * k}y + {h * h + k * k - r * r} = 0", f"(y+{k})^2 + (x-{h})^2 = {r * r}", f"2(x-{h})^2 + 2(y+{k})^2 = {2 * r * r}", f"({h}-x)^2+(y+{k})^2={r * r}", f"(x-{h})²+(y+{k})²={r * r}", f"{r * r} = (x-{h})^2 + (y+{k})^2", f"\\frac{{(x-{h})^2}}{{{r * r}}} + \\frac{{(y+{k})^2}}{{{r * r}}} = 1", f"(x-{h})^{{2}}+(y-(-{k}))^{{2}}={r * r}"]
    wrong = [f"(x-{h})^2 + (y+{k})^2 = {r}", f"(x+{h})^2 + (y+{k})^2 = {r * r}", f"(x-{h})^2 - (y+{k})^2 = {r * r}", f"(x-{h})^2 + (y-{k})^2 = {r * r}", f"(x-{h})^2 + (y+{k})^2", f"(x-{h})^2 + (y+{k})^2 \\le {r * r}"]
    return Drawn([gold], right, wrong)


def function(c: Chance) -> Drawn:
    a, b = c.randint(2, 9), c.randint(1, 9)
    gold = f"f(x) = {a}x^2 + {b}"
    right = [gold, f"{a}x^2 + {b}", f"f(x)={a}x^{{2}}+{b}", f"f(t) = {a}t^2 + {b}", f"y = {a}x^2 + {b}", f"f(x) = {b} + {a}x^2", f"f(x) = {a}x^2 + {b} \\text{{ for all }} x", f"f(x) = {a}x² + {b}", f"f(x)={a}\\cdot x^2+{b}", f"f: x \\mapsto {a}x^2+{b}", f"f(x) = {a}x^2 + {b}, x \\in \\mathbb{{R}}", f"\\text{{The function is }} f(x) = {a}x^2+{b}", f"f(x) = {a}x^2+{b} \\quad \\forall x \\in \\mathbb{{R}}"]
    wrong = [f"f(x) = {a}x^2 - {b}", f"f(x) = {a}x + {b}", f"f(x) = {a + 1}x^2 + {b}", f"f(x) = {a}x^3 + {b}", f"f(t) = {a}x^2 + {b}", f"{b}x^2+{a}" if a != b else "x", f"f'(x) = {2 * a}x"]
    return Drawn([gold], right, wrong)


def trigonometric(c: Chance) -> Drawn:
    gold, right, wrong = c.choice(
        [
            ("\\tan x", ["\\frac{\\sin x}{\\cos x}", "tan(x)", "\\tan(x)", "\\sin x \\sec x", "\\frac{1}{\\cot x}", "\\tan{x}", "\\mathrm{tan}\\, x", "\\operatorname{tan} x"], ["\\cot x", "\\tan 2x", "-\\tan x", "\\tan^{-1} x", "\\frac{\\cos x}{\\sin x}", "\\tan"]),
            ("\\sin^2 x", ["1-\\cos^2 x", "(\\sin x)^2", "\\sin^{2}(x)", "\\frac{1-\\cos 2x}{2}", "sin(x)^2", "\\sin(x)\\sin(x)", "\\sin^2{x}", "sin^2(x)", "sin²x"], ["\\sin x^2", "\\cos^2 x", "\\sin 2x", "2\\sin x", "1+\\cos^2 x", "\\sin x"]),
            ("2\\sin x\\cos x", ["\\sin 2x", "\\sin(2x)", "sin(2x)", "2\\cos x \\sin x", "2 \\sin(x) \\cos(x)", "\\sin{2x}"], ["\\cos 2x", "2\\sin x", "\\sin x\\cos x", "2\\sin x - \\cos x"]),
            ("\\arctan 2", ["\\tan^{-1} 2", "arctan(2)", "\\tan^{-1}(2)", "\\arctan(2)", "atan(2)", "\\operatorname{arctan} 2", "\\frac{\\pi}{2}-\\arctan\\frac12"], ["\\arctan \\frac12", "\\tan 2", "\\arcsin 2", "\\frac{1}{\\tan 2}", "-\\arctan 2"]),
            ("\\frac{\\sqrt{3}}{2}", ["\\sin 60^\\circ", "\\cos\\frac{\\pi}{6}", "\\sin\\left(\\frac{\\pi}{3}\\right)", "\\frac12\\sqrt3", "\\sqrt{3}/2", "\\sqrt{\\frac34}", "0.8660254038", "sin(60°)"], ["\\sin 30^\\circ", "\\frac{\\sqrt{2}}{2}", "0.866", "-\\frac{\\sqrt{3}}{2}", "\\frac{3}{2}"]),
        ]
    )  # fmt: skip
    return Drawn([gold], [gold, *right], wrong)


def exponential(c: Chance) -> Drawn:
    a, b = c.randint(2, 5), c.randint(2, 9)
    n = c.randint(12, 90)
    if c.random() < 0.5:
        gold = f"{b}e^{{{a}x}}"
        right = [gold, f"{b}\\exp({a}x)", f"{b}*e^({a}x)", f"{b}(e^x)^{a}", f"{b} e^{{{a} x}}", f"{b}\\mathrm{{e}}^{{{a}x}}", f"y={b}e^{{{a}x}}", f"{b}\\cdot \\exp\\left({a}x\\right)", f"\\frac{{{b}}}{{e^{{-{a}x}}}}", f"{b}exp({a}x)"]
        wrong = [f"{b}e^{{{a + 1}x}}", f"{b + 1}e^{{{a}x}}", f"{b}e^{a}x", f"{b}e^{{-{a}x}}", f"{b}+e^{{{a}x}}", f"({b}e)^{{{a}x}}"]
    else:
        gold = f"2^{{{n}}}"
        right = [gold, f"2**{n}", f"2^({n})", f"\\left(2\\right)^{{{n}}}", f"{2**n!s}", f"4 \\cdot 2^{{{n - 2}}}", f"2 ^ {{{n}}}", f"{{2}}^{{{n}}}", f"2^{{{n - 1}}}+2^{{{n - 1}}}", f"\\frac{{2^{{{n + 1}}}}}{{2}}"]
        wrong = [f"2^{{{n + 1}}}", f"3^{{{n}}}", f"2\\cdot {n}", f"2^{{-{n}}}", f"2^{{{n}}}-1", f"-2^{{{n}}}"]
        if n > 9:
            wrong.append(f"2^{n}")  # TeX raises the first digit only
            wrong.pop()
    return Drawn([gold], right, wrong)


def with_pi(c: Chance) -> Drawn:
    a, q = c.randint(2, 60), c.choice([2, 3, 4, 5])
    if c.random() < 0.5:
        gold = f"{a}\\pi"
        right = [gold, f"{a}π", f"{a}*pi", f"{a} pi", f"{a} \\pi", f"{a}\\cdot\\pi", f"\\pi\\cdot {a}", f"{a}{{\\pi}}", f"{a}\\,\\pi", f"V = {a}\\pi", f"{a}\\pi \\approx {a * math.pi:.2f}", f"{a * math.pi:.7f}", f"{a}pi", f"\\frac{{{2 * a}\\pi}}{{2}}"]
        wrong = [f"{a}", f"{a}\\pi^2", f"{a + 1}\\pi", f"\\frac{{{a}}}{{\\pi}}", f"{a * math.pi:.1f}", f"-{a}\\pi", f"{a}+\\pi", f"{a}p"]
    else:
        gold = f"\\frac{{{a}\\pi}}{{{q}}}"
        right = [gold, f"{a}\\pi/{q}", f"\\frac{{{a}}}{{{q}}}\\pi", f"{a}π/{q}", f"({a}*pi)/{q}", f"{a}/{q} \\pi", f"\\dfrac{{{a}\\pi}}{{{q}}}", f"{a}pi/{q}", f"\\frac{{\\pi {a}}}{{{q}}}", f"\\frac{{{a}}}{{{q}}} \\cdot \\pi", f"\\pi \\cdot \\frac{{{a}}}{{{q}}}"]
        wrong = [f"\\frac{{{a}\\pi}}{{{q + 1}}}", f"\\frac{{{a}}}{{{q}}}", f"\\frac{{{a}}}{{{q}\\pi}}", f"\\frac{{{a + 1}\\pi}}{{{q}}}", f"\\frac{{\\pi}}{{{q}}}", f"\\frac{{{a}\\pi^2}}{{{q}}}"]
    return Drawn([gold], right, wrong)


def symbolic(c: Chance) -> Drawn:
    k = c.randint(2, 6)
    gold, right, wrong = c.choice(
        [
            (f"\\frac{{n(n+{k})}}{{2}}", [f"\\frac{{n^2+{k}n}}{{2}}", f"n(n+{k})/2", f"\\frac12 n(n+{k})", f"\\frac{{n^2}}{{2}}+\\frac{{{k}n}}{{2}}", f"0.5n(n+{k})", f"\\frac{{n\\left(n+{k}\\right)}}{{2}}", f"(n^2 + {k}*n)/2"], [f"\\frac{{n(n-{k})}}{{2}}", f"n(n+{k})", f"\\frac{{n(n+{k + 1})}}{{2}}", f"\\frac{{n^2+{k}}}{{2}}"]),
            (f"a^2 - {k}ab + b^2", [f"a^2+b^2-{k}ab", f"b^2 - {k}ba + a^2", f"(a-b)^2 - {k - 2}ab" if k > 2 else "(a-b)^2", f"a²-{k}ab+b²", f"a^{{2}}-{k}a b+b^{{2}}", f"a*a - {k}*a*b + b*b", f"a^2 - {k} a \\cdot b + b^2"], [f"a^2 + {k}ab + b^2", f"a^2 - {k}ab - b^2", f"A^2 - {k}AB + B^2", f"a^2 - {k + 1}ab + b^2"]),
            (f"\\frac{{1}}{{x^{k}}}", [f"x^{{-{k}}}", f"1/x^{k}", f"\\left(\\frac1x\\right)^{k}", f"\\dfrac{{1}}{{x^{{{k}}}}}", f"(1/x)^{k}", f"\\frac{{x}}{{x^{{{k + 1}}}}}", f"x⁻{'⁰¹²³⁴⁵⁶'[k]}"], [f"x^{k}", f"-x^{k}", f"\\frac{{1}}{{{k}x}}", f"\\frac{{1}}{{x^{k + 1}}}"]),
            (f"\\sqrt[{k + 1}]{{x}}", [f"x^{{1/{k + 1}}}", f"x^{{\\frac{{1}}{{{k + 1}}}}}", f"\\sqrt[{k + 1}]x", f"x^(1/{k + 1})"], ["\\sqrt{x}", f"x^{k + 1}", f"{k + 1}\\sqrt{{x}}", f"\\sqrt[{k + 2}]{{x}}"]),
            (f"(m+{k})(m-{k})", [f"m^2-{k * k}", f"(m-{k})(m+{k})", f"m^2 - {k}^2", f"\\left(m+{k}\\right)\\left(m-{k}\\right)", f"(m+{k})*(m-{k})"], [f"(m+{k})^2", f"m^2+{k * k}", f"m^2-{k}", f"(m-{k})^2"]),
        ]
    )  # fmt: skip
    return Drawn([gold], [gold, *right], wrong)
