# fmt: off
# ruff: noqa: RUF001, E501, D103 - templates read best unbroken, and in signs of other scripts
"""Answers by class: many right spellings of one value, and near misses of it, drawn at random.

Every class is a function of a random generator that returns a `Drawn`: spellings that a gold answer
may have, spellings that are the same answer, and texts that are another answer. Labels follow from
how the texts are made; nothing here asks the grader.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Drawn:
    """One value of a class: `golds` are spellings for a gold answer, `right` and `wrong` answers."""

    golds: list[str]
    right: list[str]
    wrong: list[str]
    kind: str = "latex"


Chance = random.Random


def _signed(n: int) -> str:
    return f"+ {n}" if n >= 0 else f"- {-n}"


def _frac(value: Fraction, command: str = "frac") -> str:
    sign = "-" if value < 0 else ""
    return f"{sign}\\{command}{{{abs(value.numerator)}}}{{{value.denominator}}}"


def _plain(value: Fraction) -> str:
    return (str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}")


def _grouped(n: int, mark: str) -> str:
    return f"{n:,}".replace(",", mark)


def integer(c: Chance) -> Drawn:
    n = c.choice([c.randint(2, 99), c.randint(100, 9999), c.randint(10_000, 9_999_999)])
    digits = str(n)
    place = c.randrange(len(digits))
    other = digits[:place] + str((int(digits[place]) + c.randint(1, 9)) % 10) + digits[place + 1 :]
    right = [digits, f"{n}.0", f"+{n}", f"x = {n}", f"{{{n}}}", f"\\mathbf{{{n}}}", f"N={n}", f"n = {n}.", f"\\text{{{n}}}"]
    right += ["".join(chr(ord(d) + 0xFEE0) for d in digits), f"{n - 7}+7 = {n}", f"2\\cdot {n}/2", f"\\frac{{{3 * n}}}{{3}}"]
    if n > 999:
        right += [_grouped(n, mark) for mark in (",", "{,}", "\\,", " ", "\\ ", "~", ",\\!")]
    wrong = [other if int(other) != n else str(n + 1), f"-{n}", str(n + 1), str(10 * n), f"{n}.5", f"{n}^2", f"{n}!"]
    wrong += [f"{n} \\text{{ or }} {n + 1}", f"{n}, {n + 2}", f"\\sqrt{{{n}}}", f"\\approx {n + 1}", f"> {n}"]
    return Drawn([digits, _grouped(n, "{,}") if n > 999 else digits], right, wrong, c.choice(["integer", "latex"]))


def fraction(c: Chance) -> Drawn:
    value = Fraction(c.randint(1, 40), c.choice([3, 6, 7, 9, 11, 12, 13, 15, 17, 21]))
    if value.denominator == 1:
        value += Fraction(1, 7)
    value *= c.choice([1, 1, -1])
    p, q = value.numerator, value.denominator
    k = c.randint(2, 5)
    right = [_frac(value), _frac(value, "dfrac"), _frac(value, "tfrac"), f"{p}/{q}", f"({p})/({q})", f"{{{p} \\over {q}}}"]
    right += [f"\\frac{{{k * p}}}{{{k * q}}}", f"{p} \\div {q}", f"\\frac{{{-p}}}{{{-q}}}", f"{float(value):.8f}", f"{p}⁄{q}"]
    right += [f"\\left(\\frac{{{p}}}{{{q}}}\\right)", f"x=\\frac{{{p}}}{{{q}}}", f"\\frac{{{p}}}{{{q}}} \\approx {float(value):.3f}"]
    right += [f"{p}\\cdot\\frac{{1}}{{{q}}}", f"{p} \\cdot {q}^{{-1}}", f"\\tfrac {{{p}}} {{{q}}}", f"P = {p}/{q}"]
    if 0 < p < 10 and q < 10:
        right += [f"\\frac{p}{q}", f"\\dfrac {p}{q}", f"\\frac {p} {q}"]
    wrong = [f"{q}/{p}", _frac(-value), _frac(Fraction(p + 1, q)), _frac(Fraction(p, q + 1)), *(t for t in (f"{float(value):.2f}", f"{float(value):.3f}") if Fraction(t) != value)]
    wrong += [f"{float(value) * 1.0001:.7f}", f"{p}", f"{p}, {q}", f"{_frac(value)} \\text{{ or }} {_frac(value + 1)}"]
    return Drawn([_frac(value), f"{p}/{q}"], right, wrong)


def decimal(c: Chance) -> Drawn:
    places = c.randint(1, 4)
    n = c.randint(11, 99_999) * 10 + c.randint(1, 9)
    value = Fraction(n, 10**places)
    text = f"{n / 10**places:.{places}f}"
    right = [text, f"{text}0", _plain(value), _frac(value), f"{n}\\times 10^{{-{places}}}", f"x={text}", f"{text}00", f"{n}e-0{places}"]
    right += [text.replace(".", ","), text.replace(".", "{,}"), f"{n} \\cdot 10^{{-{places}}}", f"≈{text}", f"\\approx {text}"]
    if text.startswith("0."):
        right.append(text[1:])
    bad = f"{(n + c.choice([-1, 1, 2])) / 10**places:.{places}f}"
    return Drawn([text], right, [bad, f"-{text}", f"{n}", f"{float(value) * 10:.{places}f}", f"{text}{c.randint(6, 9)}"])


def percent(c: Chance) -> Drawn:
    n: Fraction = c.choice([Fraction(c.randint(2, 95)), Fraction(c.randint(11, 995), 10)])
    shown = f"{float(n):g}"
    hundredth = f"{float(n) / 100:.5f}".rstrip("0")
    right = [f"{shown}\\%", f"{shown}%", f"{shown} percent", f"{shown}\\text{{ percent}}", f"{shown} \\%", shown, hundredth, _frac(Fraction(n) / 100)]
    right += [f"{shown}\\,\\%", f"x = {shown}\\%", f"\\text{{{shown}\\%}}", f"{shown} per cent", f"{shown}％", f"{shown}\\text{{ %}}"]
    wrong = [f"{float(n) + 1:g}\\%", f"{float(n) / 10:g}\\%", f"{float(n) * 10:g}%", f"-{shown}\\%", f"{float(n) / 1000:.6f}", f"{shown} cm"]
    return Drawn([f"{shown}\\%"], right, wrong)


def money(c: Chance) -> Drawn:
    whole, cents = c.randint(2, 4800), c.choice([0, c.randint(11, 99)])
    text = f"{whole}.{cents:02d}" if cents else str(whole)
    grouped = f"{whole:,}" + (f".{cents:02d}" if cents else "")
    right = [f"\\${text}", f"${text}", f"{text} dollars", f"{text}\\text{{ dollars}}", text, f"\\$ {text}", f"\\text{{\\${text}}}", f"\\${grouped}"]
    right += [f"{text} USD", f"USD {text}", f"\\${{{text}}}", f"\\$\\,{text}", f"{grouped} dollars", f"\\${grouped.replace(',', '{,}')}", f"US\\${text}"]
    right += [f"\\mathrm{{\\${text}}}"]
    wrong = [f"\\${whole + 1}", f"{text} cents", f"{text} euros", f"\\${whole * 10}", f"-\\${text}", f"\\${whole}.{(cents + 7) % 100:02d}", f"£{text}"]
    return Drawn([f"\\${text}", f"{text}\\text{{ dollars}}"], right, wrong)


_UNITS = [
    (
        [
            "cm",
            "centimeters",
            "centimetres",
            "\\text{cm}",
            "\\mathrm{cm}",
            "\\text{ centimeters}",
            "\\mathrm{~cm}",
            "\\operatorname{cm}",
        ],
        ["m", "mm", "inches", "\\text{ cm}^2", "kg"],
    ),
    (
        [
            "cm^2",
            "\\text{cm}^2",
            "square centimeters",
            "sq cm",
            "square cm",
            "cm²",
            "\\mathrm{~cm}^{2}",
            "\\text{ square centimeters}",
            "\\text{ cm}^2",
            "sq. cm",
            "cm squared",
        ],
        ["m^2", "square inches", "\\text{ cm}^3"],
    ),
    (
        ["m^3", "cubic meters", "\\text{m}^3", "\\mathrm{m}^3", "cubic metres", "m³", "cu m"],
        ["cm^3", "liters", "\\text{ m}^2"],
    ),
    (
        [
            "km/h",
            "kilometers per hour",
            "kmh",
            "km per hour",
            "\\text{ km/h}",
            "\\mathrm{km}/\\mathrm{h}",
            "\\frac{\\text{km}}{\\text{h}}",
            "km/hr",
            "kph",
        ],
        ["m/s", "mph", "km"],
    ),
    (
        ["miles per hour", "mph", "mi/h", "miles/hour", "\\text{ mph}", "miles an hour"],
        ["km/h", "feet per second"],
    ),
    (
        ["hours", "hr", "hrs", "h", "\\text{ hours}", "\\text{ h}", "\\,\\text{hours}"],
        ["minutes", "days", "seconds"],
    ),
    (
        ["feet", "ft", "\\text{ ft}", "foot", "ft.", "\\text{feet}", "\\mathrm{ft}"],
        ["inches", "yards", "meters"],
    ),
    (
        ["kg", "kilograms", "\\text{kg}", "\\mathrm{~kg}", "kgs", "kilogrammes"],
        ["g", "pounds", "\\text{ grams}"],
    ),
    (
        [
            "square feet",
            "ft^2",
            "sq ft",
            "sq. ft.",
            "\\text{ square feet}",
            "ft²",
            "\\text{ft}^{2}",
            "sq. feet",
        ],
        ["square inches", "yd^2", "cubic feet"],
    ),
    (["units", "\\text{ units}", "unit"], [" + 1 units"]),
    (
        ["square units", "\\text{ square units}", "sq units", "\\text{ units}^2", "units^2"],
        [" + 1 square units"],
    ),
    (
        ["apples", "\\text{ apples}", "\\ \\text{apples}", "red apples", "apples in total"],
        ["\\text{ or more}"],
    ),
    (["liters", "L", "litres", "\\text{ L}", "liter"], ["ml", "gallons"]),
    (
        [
            "meters per second",
            "m/s",
            "\\text{ m/s}",
            "\\mathrm{~m}/\\mathrm{s}",
            "ms^{-1}",
            "\\frac{m}{s}",
            "m s^{-1}",
        ],
        ["km/h", "feet per second", "m"],
    ),
]


def unit(c: Chance) -> Drawn:
    same, others = c.choice(_UNITS)
    value = c.choice([str(c.randint(2, 480)), f"{c.randint(2, 99)}.{c.randint(1, 9)}", f"{c.randint(2, 30)}\\pi", f"{c.randint(2, 9)}\\sqrt{{3}}"])
    more = (value.replace("\\pi", "\\pi^2") if "\\pi" in value else f"{float(value) + 1:g}" if "sqrt" not in value else value.replace("3", "5"))
    right = [f"{value} {name}" for name in same] + [value, f"x = {value} {same[0]}", f"\\text{{Area}} = {value}"]
    wrong = ([f"{value} {name}" for name in others] + [f"{more} {name}" for name in c.sample(same, 2)] + [more])
    return Drawn([f"{value} {c.choice(same)}"], right, wrong)


def angle(c: Chance) -> Drawn:
    n = c.choice([15, 20, 30, 36, 45, 54, 60, 72, 75, 105, 120, 135, 144, 150])
    pi = Fraction(n, 180)
    radians = ("" if pi.numerator == 1 else str(pi.numerator)) + "\\pi"
    right = [f"{n}^\\circ", f"{n}^{{\\circ}}", f"{n}°", f"{n} degrees", f"{n}\\text{{ degrees}}", str(n), f"\\frac{{{radians}}}{{{pi.denominator}}}", f"{n}\\degree"]
    right += [f"\\angle ABC = {n}^\\circ", f"x = {n}°", f"\\theta={n}^\\circ", f"{n}º", f"{n} \\, ^\\circ", f"{n}\\text{{°}}", f"{n} deg", f"{n}^o"]
    wrong = [f"{n + 1}^\\circ", f"{180 - n + (n == 90)}^\\circ", f"-{n}°", f"\\frac{{\\pi}}{{{n}}}", f"{n}\\pi", f"{n} radians"]
    return Drawn([f"{n}^\\circ"], right, wrong)


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
    gold = f"{a}{_signed(b).replace(' ', '')}i"
    s = _signed(b)
    right = [gold, f"{a} {s} i", f"{b}i + {a}" if a > 0 else f"{b}i - {-a}", f"{a} {s}\\mathrm{{i}}", f"{a} {s} \\cdot i", f"z = {gold}", f"{a} + ({b})i", f"{a}{s.replace(' ', '')}*i", f"({gold})", f"{a}{'+' if b > 0 else '-'}i{abs(b)}", f"{a}{'+' if b > 0 else '-'}{abs(b)}\\,i"]
    wrong = [f"{a} {_signed(-b)}i", f"{-a} {s}i", f"{b} {_signed(a)}i" if a != b else f"{a}", f"{a} {_signed(b + 1)}i", f"{a} {s}", f"{a} {s}j + 1", f"{a} {s}i^2"]
    return Drawn([gold], right, wrong)


def polynomial(c: Chance) -> Drawn:
    r, s = c.sample([1, 2, 3, 4, 5, 6, 7, -1, -2, -3, -4, -5], 2)
    p, q = -(r + s), r * s
    v = c.choice(["x", "t", "n", "a", "y"])
    lin = f" {_signed(p)}{v}" if p else ""
    gold = f"{v}^2{lin} {_signed(q)}"
    f1, f2 = (f"({v}{_signed(-z).replace(' ', '')})" for z in (r, s))
    right = [gold, gold.replace("^2", "^{2}"), f"{f1}{f2}", f"{f2}{f1}", f"{f1}\\cdot {f2}", gold.replace("^2", "²"), gold.replace("^2", "**2").replace(f"{v} ", f"*{v} ") if p else gold, f"{q}{lin}+{v}^2", f"{v}({v} {_signed(p)}) {_signed(q)}", f"{f1}*{f2}", f"\\left({v}{_signed(-r)}\\right)\\left({v}{_signed(-s)}\\right)", f"f({v})={gold}"]
    wrong = [f"{v}^2{lin} {_signed(-q)}", f"{v}^3{lin} {_signed(q)}", f"{v}^2 {_signed(p + 1)}{v} {_signed(q)}", f"-{v}^2{lin} {_signed(q)}", f"{gold} = 0", f"{f1}", f"{f1}+{f2}", f"2({gold})", gold.replace(v, "w")]
    return Drawn([gold, f"{f1}{f2}"], right, wrong)


def rational_function(c: Chance) -> Drawn:
    a, b, k = c.randint(1, 7), c.randint(2, 9), c.randint(2, 5)
    gold = f"\\frac{{x+{a}}}{{{k}x-{b}}}"
    right = [gold, f"(x+{a})/({k}x-{b})", f"\\frac{{-x-{a}}}{{{b}-{k}x}}", f"\\dfrac{{x+{a}}}{{{k}x-{b}}}", f"\\frac{{x}}{{{k}x-{b}}}+\\frac{{{a}}}{{{k}x-{b}}}", f"(x+{a})({k}x-{b})^{{-1}}", f"\\frac{{2x+{2 * a}}}{{{2 * k}x-{2 * b}}}", f"y = {gold}", f"-\\frac{{x+{a}}}{{{b}-{k}x}}", f"\\frac{{{a}+x}}{{-{b}+{k}x}}", f"{{x+{a}\\over {k}x-{b}}}"]
    wrong = [f"\\frac{{x-{a}}}{{{k}x-{b}}}", f"\\frac{{x+{a}}}{{{k}x+{b}}}", f"x+{a}/({k}x-{b})", f"(x+{a})/{k}x-{b}", f"\\frac{{{k}x-{b}}}{{x+{a}}}", f"\\frac{{x+{a + 1}}}{{{k}x-{b}}}"]
    return Drawn([gold], right, wrong)


def point(c: Chance) -> Drawn:
    a, b = c.sample(range(-9, 10), 2)
    z = c.randint(2, 9)
    half = Fraction(2 * z + 1, 2)
    triple = c.random() < 0.35
    items = [str(a), str(b)] + ([_frac(half)] if triple else [])
    other = [str(a), str(b)] + ([_plain(half)] if triple else [])
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
    shifted = f"|x - {_plain(mid)}|" if mid > 0 else f"|x + {_plain(-mid)}|" if mid else "|x|"
    hole = f"({a}, {b})" if closed else f"[{a}, {b}]"
    forms = [f"(-\\infty, {a}{lb} \\cup {rb}{b}, \\infty)", f"(-\\infty,{a}{lb}\\cup{rb}{b},+\\infty)", f"x {lt} {a} \\text{{ or }} x {gt} {b}", f"x {gt} {b} \\text{{ or }} x {lt} {a}", f"(−∞,{a}{lb}∪{rb}{b},∞)", f"{shifted} {gt} {_plain(r)}", f"x {lu} {a} or x {gu} {b}", f"\\mathbb{{R}} \\setminus {hole}", f"\\{{x \\mid x {lt} {a} \\text{{ or }} x {gt} {b}\\}}", f"x \\in (-\\infty, {a}{lb} \\cup {rb}{b}, \\infty)", f"(-inf,{a}{lb} U {rb}{b},inf)", f"\\left(-\\infty,{a}\\right{lb}\\cup\\left{rb}{b},\\infty\\right)", f"x {lt} {a} \\lor x {gt} {b}", f"{rb}{b}, \\infty) \\cup (-\\infty, {a}{lb}", f"x{lt} {a}\\quad\\text{{or}}\\quad x{gt} {b}", f"x {lt} {a}, \\ x {gt} {b}"]
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


def line(c: Chance) -> Drawn:
    m, b = c.choice([2, 3, -2, -3, 4, 5]), c.choice([-7, -4, -1, 1, 3, 5, 8])
    gold = f"y = {m}x {_signed(b)}"
    right = [gold, f"y={m}x{_signed(b).replace(' ', '')}", f"{m}x - y {_signed(b)} = 0", f"y - {m}x = {b}" if m > 0 else f"y + {-m}x = {b}", f"{2 * m}x - 2y {_signed(2 * b)} = 0", f"f(x) = {m}x {_signed(b)}", f"{m}x {_signed(b)}", f"y = {b} {_signed(m)}x", f"{m}x {_signed(b)} = y", f"y(x) = {m}x {_signed(b)}", f"-y {_signed(m)}x {_signed(b)} = 0", f"\\text{{The line is }} {gold}"]
    wrong = [f"y = {m}x {_signed(-b)}", f"y = {-m}x {_signed(b)}", f"y = {m}x", f"x = {m}y {_signed(b)}", f"y = {m + 1}x {_signed(b)}", f"y > {m}x {_signed(b)}", f"{m}", f"{m}x - y {_signed(-b)} = 0"]
    return Drawn([gold], right, wrong)


def circle(c: Chance) -> Drawn:
    h, k, r = c.randint(1, 6), c.randint(1, 6), c.randint(2, 9)
    gold = f"(x-{h})^2 + (y+{k})^2 = {r * r}"
    right = [gold, f"(x-{h})^2+(y+{k})^2={r}^2", f"x^2 + y^2 - {2 * h}x + {2 * k}y + {h * h + k * k - r * r} = 0", f"(y+{k})^2 + (x-{h})^2 = {r * r}", f"2(x-{h})^2 + 2(y+{k})^2 = {2 * r * r}", f"({h}-x)^2+(y+{k})^2={r * r}", f"(x-{h})²+(y+{k})²={r * r}", f"{r * r} = (x-{h})^2 + (y+{k})^2", f"\\frac{{(x-{h})^2}}{{{r * r}}} + \\frac{{(y+{k})^2}}{{{r * r}}} = 1", f"(x-{h})^{{2}}+(y-(-{k}))^{{2}}={r * r}"]
    wrong = [f"(x-{h})^2 + (y+{k})^2 = {r}", f"(x+{h})^2 + (y+{k})^2 = {r * r}", f"(x-{h})^2 - (y+{k})^2 = {r * r}", f"(x-{h})^2 + (y-{k})^2 = {r * r}", f"(x-{h})^2 + (y+{k})^2", f"(x-{h})^2 + (y+{k})^2 \\le {r * r}"]
    return Drawn([gold], right, wrong)


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


def based(c: Chance) -> Drawn:
    base = c.choice([2, 3, 4, 5, 6, 7, 8, 9])
    digits = c.choice("123456789"[: base - 1]) + "".join(c.choice("0123456789"[:base]) for _ in range(c.randint(2, 5)))
    word = ["two", "three", "four", "five", "six", "seven", "eight", "nine"][base - 2]
    right = [f"{digits}_{base}", f"{digits}_{{{base}}}", f"({digits})_{base}", f"{digits}_{{\\text{{{word}}}}}", f"{digits} \\text{{ base }} {base}", f"{digits} (base {base})", f"{digits}_{{({base})}}", f"\\text{{{digits}}}_{{{base}}}", f"N = {digits}_{base}", f"\\left({digits}\\right)_{{{base}}}", f"{digits} in base {base}", f"{digits}₍{base}₎".replace("₍", "") .replace("₎", "") .replace(f"{digits}{base}", f"{digits}{chr(0x2080 + base)}"), f"{digits}\\;_{{{base}}}", f"{digits}_{{\\text{{base }}{base}}}"]
    other = digits[:-1] + str((int(digits[-1]) + 1) % base)
    wrong = [digits, f"{digits}_{base + 1}", f"{other}_{base}", f"{digits[:-1]}_{base}", f"{digits}{base}", f"{digits}0_{base}"]
    return Drawn([f"{digits}_{{{base}}}", f"{digits}_{base}"], right, wrong)


def plus_minus(c: Chance) -> Drawn:
    a, p, q = (c.choice([str(c.randint(2, 12)), f"\\sqrt{{{c.choice([2, 3, 5, 7])}}}", f"{c.randint(2, 5)}i"]), c.randint(1, 9), c.choice([5, 13, 17, 21]))
    if c.random() < 0.5:
        gold = f"\\pm {a}"
        right = [gold, f"{a}, -{a}", f"-{a}, {a}", f"{a} \\text{{ and }} -{a}", f"x = \\pm {a}", f"x = {a} \\text{{ or }} x = -{a}", f"\\{{{a}, -{a}\\}}", f"±{a}", f"+{a}, -{a}", f"x={a},-{a}", f"-{a}\\text{{ or }}{a}", f"\\pm{{{a}}}", f"x_1 = {a}, x_2 = -{a}", f"+/- {a}"]
        wrong = [a, f"-{a}", f"\\pm 2{a}" if a[0] == "\\" else f"\\pm (1+{a})", f"0, {a}, -{a}", f"{a}, {a}"]
        return Drawn([gold, f"{a}, -{a}"], right, wrong)
    gold = f"\\frac{{{p} \\pm \\sqrt{{{q}}}}}{{2}}"
    left, right_ = f"\\frac{{{p}+\\sqrt{{{q}}}}}{{2}}", f"\\frac{{{p}-\\sqrt{{{q}}}}}{{2}}"
    right = [gold, f"{left}, {right_}", f"{right_} \\text{{ and }} {left}", f"x = {gold}", f"\\frac{{{p}}}{{2}} \\pm \\frac{{\\sqrt{{{q}}}}}{{2}}", f"({p}±sqrt({q}))/2", f"x = {left} \\text{{ or }} x = {right_}", f"\\left\\{{ {left}, {right_} \\right\\}}", f"\\frac12({p}\\pm\\sqrt{{{q}}})", f"\\frac{{{p}±√{q}}}{{2}}"]
    wrong = [left, right_, f"\\frac{{{p} \\pm \\sqrt{{{q + 2}}}}}{{2}}", f"\\frac{{-{p} \\pm \\sqrt{{{q}}}}}{{2}}", f"{p} \\pm \\frac{{\\sqrt{{{q}}}}}{{2}}"]
    return Drawn([gold, f"{left}, {right_}"], right, wrong)


def mixed_number(c: Chance) -> Drawn:
    w, q = c.randint(1, 12), c.randint(2, 9)
    p = c.randint(1, q - 1)
    value = w + Fraction(p, q)
    right = [f"{w}\\frac{{{p}}}{{{q}}}", f"{w} {p}/{q}", _frac(value), _plain(value), f"{w}\\dfrac{{{p}}}{{{q}}}", f"{w} \\frac{{{p}}}{{{q}}}", f"{w}\\,\\frac{{{p}}}{{{q}}}", f"{w} \\tfrac{p}{q}", f"{w}+\\frac{{{p}}}{{{q}}}", f"{w}\\ \\frac{{{p}}}{{{q}}}", f"{w} and {p}/{q}", f"{w}~{p}/{q}"]
    wrong = [f"{w}\\frac{{{q}}}{{{p}}}" if p != q else f"{w}", f"{w + 1}\\frac{{{p}}}{{{q}}}", f"{w} {p}/{q + 1}", _frac(w * Fraction(p, q)) if w * Fraction(p, q) != value else "0", f"{w}", f"-{w}\\frac{{{p}}}{{{q}}}", f"{w}.{p}{q}"]
    wrong = [x for x in wrong if x != f"{float(value):g}" and "\\frac{1}{1}" not in x]
    return Drawn([f"{w}\\frac{{{p}}}{{{q}}}", _frac(value)], right, wrong)


def repeating(c: Chance) -> Drawn:
    length = c.randint(1, 3)
    period = "".join(c.choice("0123456789") for _ in range(length))
    while (len(set(period)) == 1 and length > 1) or period in ("0", "9"):
        period = "".join(c.choice("123456789") for _ in range(length))
    fixed = c.choice(["", "", str(c.randint(1, 9))])
    value = (Fraction(int(fixed or "0")) + Fraction(int(period), 10**length - 1)) / 10 ** len(fixed)
    text = f"0.{fixed}"
    dots = (f"\\dot{{{period}}}" if length == 1 else f"\\dot{{{period[0]}}}{period[1:-1]}\\dot{{{period[-1]}}}")
    right = [f"{text}\\overline{{{period}}}", f"{text}{period * 4}\\ldots" if len(set(period)) > 1 or length == 1 else f"{text}\\overline{{{period}}}", _frac(value), _plain(value), f"{text}({period})", f"{text}{dots}", f"{text}\\bar{{{period}}}" if length == 1 else f"{text}\\overline{{{period}}}", f"{text}{period * 4}...", f"{text}{period * 3}…", f"{text}\\overline {{{period}}}", f"{text}{''.join(d + chr(0x0305) for d in period)}"]
    wrong = [f"{text}{period}" if value != Fraction(f"{text}{period}") else "7", _frac(value + Fraction(1, 99)), f"{text}\\overline{{{period}{(int(period[-1]) + 1) % 10}}}", f"0.{fixed}0\\overline{{{period}}}" if value else "7", f"1{text[1:]}\\overline{{{period}}}", f"{text}{period}{(int(period[0]) + 1) % 10}"]
    return Drawn([f"{text}\\overline{{{period}}}", _frac(value)], right, wrong)


def scientific(c: Chance) -> Drawn:
    m, e = c.randint(11, 99), c.choice([-6, -5, -4, -3, 3, 4, 5, 6, 8])
    if m % 10 == 0:
        m += 1
    mantissa = f"{m // 10}.{m % 10}"
    value = Fraction(m, 10) * Fraction(10) ** e
    full = str(value.numerator) if value.denominator == 1 else f"{float(value):.{1 - e}f}"
    raised = "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(d)] if d != "-" else "⁻" for d in str(e))
    right = [f"{mantissa} \\times 10^{{{e}}}", f"{mantissa}\\cdot 10^{{{e}}}", f"{mantissa}e{e}", f"{mantissa}E{e}", f"{mantissa}*10^{e}" if e > 0 else f"{mantissa}*10^({e})", full, f"{mantissa} × 10{raised}", f"{mantissa} x 10^{e}" if e > 0 else f"{mantissa} x 10^{{{e}}}", f"{m} \\times 10^{{{e - 1}}}", f"{mantissa}\\times10^{e}" if 0 < e < 10 else f"{mantissa}\\times10^{{{e}}}", f"{mantissa}·10{raised}"]
    if e > 2:
        right += [f"{int(value):,}", f"{int(value):,}".replace(",", "{,}")]
    wrong = [f"{mantissa} \\times 10^{{{e + 1}}}", f"{mantissa} \\times 10^{{{-e}}}", f"{m // 10}.{(m + 1) % 10} \\times 10^{{{e}}}", mantissa, f"-{mantissa} \\times 10^{{{e}}}", f"{m} \\times 10^{{{e}}}", f"{mantissa}+10^{{{e}}}"]
    return Drawn([right[0]], right, wrong)


def modular(c: Chance) -> Drawn:
    n = c.choice([5, 7, 9, 11, 12, 13])
    a = c.randint(1, n - 1)
    gold = f"x \\equiv {a} \\pmod{{{n}}}"
    right = [gold, f"x≡{a} (mod {n})", f"x \\equiv {a} \\mod {n}", f"x \\equiv {a} (\\bmod {n})", f"{a} \\pmod{{{n}}}", f"x\\equiv {a}\\ (\\text{{mod }}{n})", f"x \\equiv {a} \\;(\\mathrm{{mod}}\\; {n})", f"x ≡ {a} mod {n}", f"x \\equiv {a} \\text{{ (mod }} {n})"]
    wrong = [f"x \\equiv {(a + 1) % n} \\pmod{{{n}}}", f"x \\equiv {a} \\pmod{{{n + 1}}}", f"x \\not\\equiv {a} \\pmod{{{n}}}", f"x = {a + n + 1}"]
    return Drawn([gold], right, wrong)


def function(c: Chance) -> Drawn:
    a, b = c.randint(2, 9), c.randint(1, 9)
    gold = f"f(x) = {a}x^2 + {b}"
    right = [gold, f"{a}x^2 + {b}", f"f(x)={a}x^{{2}}+{b}", f"f(t) = {a}t^2 + {b}", f"y = {a}x^2 + {b}", f"f(x) = {b} + {a}x^2", f"f(x) = {a}x^2 + {b} \\text{{ for all }} x", f"f(x) = {a}x² + {b}", f"f(x)={a}\\cdot x^2+{b}", f"f: x \\mapsto {a}x^2+{b}", f"f(x) = {a}x^2 + {b}, x \\in \\mathbb{{R}}", f"\\text{{The function is }} f(x) = {a}x^2+{b}", f"f(x) = {a}x^2+{b} \\quad \\forall x \\in \\mathbb{{R}}"]
    wrong = [f"f(x) = {a}x^2 - {b}", f"f(x) = {a}x + {b}", f"f(x) = {a + 1}x^2 + {b}", f"f(x) = {a}x^3 + {b}", f"f(t) = {a}x^2 + {b}", f"{b}x^2+{a}" if a != b else "x", f"f'(x) = {2 * a}x"]
    return Drawn([gold], right, wrong)


def family(c: Chance) -> Drawn:
    q = c.choice([2, 3, 4, 6])
    gold = f"\\frac{{\\pi}}{{{q}}} + k\\pi"
    right = [gold, f"x = \\frac{{\\pi}}{{{q}}} + k\\pi", f"\\frac{{\\pi}}{{{q}}} + n\\pi", f"{gold}, k \\in \\mathbb{{Z}}", f"k\\pi + \\frac{{\\pi}}{{{q}}}", f"\\frac{{\\pi}}{{{q}}} + \\pi n, n \\in \\mathbb{{Z}}", f"π/{q} + kπ", f"x=\\frac{{\\pi}}{{{q}}}+\\pi k \\quad (k\\in\\mathbb{{Z}})", f"\\frac{{\\pi(1+{q}k)}}{{{q}}}", f"{gold} \\text{{ for integer }} k", f"\\frac{{\\pi}}{{{q}}} - k\\pi", f"x = \\frac{{\\pi}}{{{q}}} + m\\pi \\text{{ where }} m \\text{{ is an integer}}"]
    wrong = [f"\\frac{{\\pi}}{{{q}}} + 2k\\pi", f"\\frac{{\\pi}}{{{q + 1}}} + k\\pi", f"\\frac{{\\pi}}{{{q}}}", "k\\pi", f"\\frac{{\\pi}}{{{q}}} + \\frac{{k\\pi}}{{2}}"]
    return Drawn([gold, f"{gold}, k \\in \\mathbb{{Z}}"], right, wrong)


_WORDS = [
    ["yes", "no", "maybe"], ["odd", "even", "neither"], ["Tuesday", "Thursday", "Friday"], ["Evelyn", "Carla", "Angela"],
    ["ellipse", "hyperbola", "parabola"], ["increasing", "decreasing", "constant"], ["isosceles", "scalene", "right"],
    ["red", "blue", "green"], ["convergent", "divergent", "oscillating"], ["true", "false", "unknown"], ["north", "south", "west"],
]  # fmt: skip


def word(c: Chance) -> Drawn:
    first, *others = c.choice(_WORDS)
    right = [first, f"\\text{{{first}}}", first.upper(), first.capitalize(), f"{first}.", f"\\textbf{{{first}}}", f"\\mathrm{{{first}}}", f"\\text{{ {first} }}", f"**{first}**", f'"{first}"', f"\\text{{{first}.}}", f"\\textit{{{first}}}", f"it is {first}"]
    wrong = [others[0], f"\\text{{{others[1]}}}", f"not {first}", f"{first} or {others[0]}", f"\\text{{not }}\\text{{{first}}}", f"un{first}"]
    return Drawn([f"\\text{{{first}}}", first], right, wrong, c.choice(["text", "latex"]))


def clock(c: Chance) -> Drawn:
    h, m = c.randint(1, 12), c.randint(10, 59)
    half = c.choice(["p.m.", "a.m."])
    bare = half.replace(".", "")
    gold = f"{h}:{m}\\text{{ {half}}}"
    right = [gold, f"{h}:{m} {half}", f"{h}:{m} {bare.upper()}", f"{h}:{m}{bare}", f"{h}:{m}", f"\\text{{{h}:{m} {half}}}", f"{h}:{m} \\text{{{bare.upper()}}}", f"{h}:{m}\\ \\text{{{half}}}", f"{h:02d}:{m} {bare}"]
    other = {"p.m.": "a.m.", "a.m.": "p.m."}[half]
    wrong = [f"{h}:{m + 1} {half}" if m < 59 else f"{h}:10 {half}", f"{h % 12 + 1}:{m} {half}", f"{h}:{m} {other}", f"{h}.{m}", f"{h}:{m}:30"]
    return Drawn([gold], right, wrong)


def ratio(c: Chance) -> Drawn:
    a, b = c.choice([(2, 3), (3, 4), (5, 7), (1, 4), (7, 9), (3, 8), (11, 4)])
    gold = f"{a}:{b}"
    right = [gold, f"{a} : {b}", f"{a}/{b}", f"\\frac{{{a}}}{{{b}}}", f"{a} \\text{{ to }} {b}", f"{2 * a}:{2 * b}", f"{a}\\colon {b}", f"{a} to {b}", f"{a}∶{b}", f"\\text{{{a}:{b}}}", f"AB : BC = {a} : {b}"]
    wrong = [f"{b}:{a}", f"{a + 1}:{b}", f"{a}, {b}", f"{a}.{b}", f"{a}:{b}:1", f"({a}, {b})"]
    return Drawn([gold, f"\\frac{{{a}}}{{{b}}}"], right, wrong)


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


def counting(c: Chance) -> Drawn:
    n = c.randint(5, 12)
    k = c.randint(2, n - 2)
    value = math.comb(n, k)
    gold = f"\\binom{{{n}}}{{{k}}}"
    right = [gold, str(value), f"\\dbinom{{{n}}}{{{k}}}", f"{{{n} \\choose {k}}}", f"\\frac{{{n}!}}{{{k}!{n - k}!}}", f"C({n},{k})", f"C({n}, {n - k})", f"\\binom{{{n}}}{{{n - k}}}", f"\\frac{{{n}!}}{{{k}! \\cdot {n - k}!}}", f"{n}!/({k}!*{n - k}!)", f"\\binom{{{n}}}{{{k}}} = {value}", f"C_{{{n}}}^{{{k}}}", f"{{}}_{{{n}}}C_{{{k}}}", f"^{{{n}}}C_{{{k}}}", f"\\tbinom{{{n}}}{{{k}}}"]
    wrong = [f"\\binom{{{n + 1}}}{{{k}}}", str(value + 1), f"\\frac{{{n}!}}{{{k}!}}", f"\\frac{{{n}}}{{{k}}}", f"{n}!" if n > 3 else "1", f"\\binom{{{k}}}{{{n}}}"]
    return Drawn([gold, str(value)], right, wrong)


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


CLASSES: dict[str, Callable[[Chance], Drawn]] = {
    make.__name__: make
    for make in (
        integer, fraction, decimal, percent, money, unit, angle, radical, logarithm, complex_number,
        polynomial, rational_function, point, listing, interval, union, excluded, inequality, line, circle,
        matrix, based, plus_minus, mixed_number, repeating, scientific, modular, function, family, word,
        clock, ratio, trigonometric, exponential, counting, with_pi, nothing, ordered_names, symbolic,
    )
}  # fmt: skip
