# fmt: off
# ruff: noqa: RUF001, E501, D103 - templates read best unbroken, and in signs of other scripts
"""Numbers, amounts and words: many right spellings of one value, and near misses of it."""

import math
from fractions import Fraction

from drawn import Chance, Drawn, frac, grouped, plain


def integer(c: Chance) -> Drawn:
    n = c.choice([c.randint(2, 99), c.randint(100, 9999), c.randint(10_000, 9_999_999)])
    digits = str(n)
    place = c.randrange(len(digits))
    other = digits[:place] + str((int(digits[place]) + c.randint(1, 9)) % 10) + digits[place + 1 :]
    right = [digits, f"{n}.0", f"+{n}", f"x = {n}", f"{{{n}}}", f"\\mathbf{{{n}}}", f"N={n}", f"n = {n}.", f"\\text{{{n}}}"]
    right += ["".join(chr(ord(d) + 0xFEE0) for d in digits), f"{n - 7}+7 = {n}", f"2\\cdot {n}/2", f"\\frac{{{3 * n}}}{{3}}"]
    if n > 999:
        right += [grouped(n, mark) for mark in (",", "{,}", "\\,", " ", "\\ ", "~", ",\\!")]
    wrong = [other if int(other) != n else str(n + 1), f"-{n}", str(n + 1), str(10 * n), f"{n}.5", f"{n}^2", f"{n}!"]
    wrong += [f"{n} \\text{{ or }} {n + 1}", f"{n}, {n + 2}", f"\\sqrt{{{n}}}", f"\\approx {n + 1}", f"> {n}"]
    return Drawn([digits, grouped(n, "{,}") if n > 999 else digits], right, wrong, c.choice(["integer", "latex"]))


def fraction(c: Chance) -> Drawn:
    value = Fraction(c.randint(1, 40), c.choice([3, 6, 7, 9, 11, 12, 13, 15, 17, 21]))
    if value.denominator == 1:
        value += Fraction(1, 7)
    value *= c.choice([1, 1, -1])
    p, q = value.numerator, value.denominator
    k = c.randint(2, 5)
    right = [frac(value), frac(value, "dfrac"), frac(value, "tfrac"), f"{p}/{q}", f"({p})/({q})", f"{{{p} \\over {q}}}"]
    right += [f"\\frac{{{k * p}}}{{{k * q}}}", f"{p} \\div {q}", f"\\frac{{{-p}}}{{{-q}}}", f"{float(value):.8f}", f"{p}⁄{q}"]
    right += [f"\\left(\\frac{{{p}}}{{{q}}}\\right)", f"x=\\frac{{{p}}}{{{q}}}", f"\\frac{{{p}}}{{{q}}} \\approx {float(value):.3f}"]
    right += [f"{p}\\cdot\\frac{{1}}{{{q}}}", f"{p} \\cdot {q}^{{-1}}", f"\\tfrac {{{p}}} {{{q}}}", f"P = {p}/{q}"]
    if 0 < p < 10 and q < 10:
        right += [f"\\frac{p}{q}", f"\\dfrac {p}{q}", f"\\frac {p} {q}"]
    wrong = [f"{q}/{p}", frac(-value), frac(Fraction(p + 1, q)), frac(Fraction(p, q + 1)), *(t for t in (f"{float(value):.2f}", f"{float(value):.3f}") if Fraction(t) != value)]
    wrong += [f"{float(value) * 1.0001:.7f}", f"{p}", f"{p}, {q}", f"{frac(value)} \\text{{ or }} {frac(value + 1)}"]
    return Drawn([frac(value), f"{p}/{q}"], right, wrong)


def decimal(c: Chance) -> Drawn:
    places = c.randint(1, 4)
    n = c.randint(11, 99_999) * 10 + c.randint(1, 9)
    value = Fraction(n, 10**places)
    text = f"{n / 10**places:.{places}f}"
    right = [text, f"{text}0", plain(value), frac(value), f"{n}\\times 10^{{-{places}}}", f"x={text}", f"{text}00", f"{n}e-0{places}"]
    grouped = places == 3 and not text.startswith("0.")
    commas = [text.replace(".", ","), text.replace(".", "{,}")]
    right += [*([] if grouped else commas), f"{n} \\cdot 10^{{-{places}}}", f"≈{text}", f"\\approx {text}"]
    if text.startswith("0."):
        right.append(text[1:])
    bad = f"{(n + c.choice([-1, 1, 2])) / 10**places:.{places}f}"
    return Drawn([text], right, [*(commas if grouped else []), bad, f"-{text}", f"{n}", f"{float(value) * 10:.{places}f}", f"{text}{c.randint(6, 9)}"])


def percent(c: Chance) -> Drawn:
    n: Fraction = c.choice([Fraction(c.randint(2, 95)), Fraction(c.randint(11, 995), 10)])
    shown = f"{float(n):g}"
    hundredth = f"{float(n) / 100:.5f}".rstrip("0")
    right = [f"{shown}\\%", f"{shown}%", f"{shown} percent", f"{shown}\\text{{ percent}}", f"{shown} \\%", shown, hundredth, frac(Fraction(n) / 100)]
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
    right = [f"{w}\\frac{{{p}}}{{{q}}}", f"{w} {p}/{q}", frac(value), plain(value), f"{w}\\dfrac{{{p}}}{{{q}}}", f"{w} \\frac{{{p}}}{{{q}}}", f"{w}\\,\\frac{{{p}}}{{{q}}}", f"{w} \\tfrac{p}{q}", f"{w}+\\frac{{{p}}}{{{q}}}", f"{w}\\ \\frac{{{p}}}{{{q}}}", f"{w} and {p}/{q}", f"{w}~{p}/{q}"]
    wrong = [f"{w}\\frac{{{q}}}{{{p}}}" if p != q else f"{w}", f"{w + 1}\\frac{{{p}}}{{{q}}}", f"{w} {p}/{q + 1}", frac(w * Fraction(p, q)) if w * Fraction(p, q) != value else "0", f"{w}", f"-{w}\\frac{{{p}}}{{{q}}}", f"{w}.{p}{q}"]
    wrong = [x for x in wrong if x != f"{float(value):g}" and "\\frac{1}{1}" not in x]
    return Drawn([f"{w}\\frac{{{p}}}{{{q}}}", frac(value)], right, wrong)


def repeating(c: Chance) -> Drawn:
    length = c.randint(1, 3)
    period = "".join(c.choice("0123456789") for _ in range(length))
    while (len(set(period)) == 1 and length > 1) or period in ("0", "9"):
        period = "".join(c.choice("123456789") for _ in range(length))
    fixed = c.choice(["", "", str(c.randint(1, 9))])
    value = (Fraction(int(fixed or "0")) + Fraction(int(period), 10**length - 1)) / 10 ** len(fixed)
    text = f"0.{fixed}"
    dots = (f"\\dot{{{period}}}" if length == 1 else f"\\dot{{{period[0]}}}{period[1:-1]}\\dot{{{period[-1]}}}")
    right = [f"{text}\\overline{{{period}}}", f"{text}{period * 4}\\ldots" if len(set(period)) > 1 or length == 1 else f"{text}\\overline{{{period}}}", frac(value), plain(value), f"{text}({period})", f"{text}{dots}", f"{text}\\bar{{{period}}}" if length == 1 else f"{text}\\overline{{{period}}}", f"{text}{period * 4}...", f"{text}{period * 3}…", f"{text}\\overline {{{period}}}", f"{text}{''.join(d + chr(0x0305) for d in period)}"]
    wrong = [f"{text}{period}" if value != Fraction(f"{text}{period}") else "7", frac(value + Fraction(1, 99)), f"{text}\\overline{{{period}{(int(period[-1]) + 1) % 10}}}", f"0.{fixed}0\\overline{{{period}}}" if value else "7", f"1{text[1:]}\\overline{{{period}}}", f"{text}{period}{(int(period[0]) + 1) % 10}"]
    return Drawn([f"{text}\\overline{{{period}}}", frac(value)], right, wrong)


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


def counting(c: Chance) -> Drawn:
    n = c.randint(5, 12)
    k = c.randint(2, n - 2)
    value = math.comb(n, k)
    gold = f"\\binom{{{n}}}{{{k}}}"
    right = [gold, str(value), f"\\dbinom{{{n}}}{{{k}}}", f"{{{n} \\choose {k}}}", f"\\frac{{{n}!}}{{{k}!{n - k}!}}", f"C({n},{k})", f"C({n}, {n - k})", f"\\binom{{{n}}}{{{n - k}}}", f"\\frac{{{n}!}}{{{k}! \\cdot {n - k}!}}", f"{n}!/({k}!*{n - k}!)", f"\\binom{{{n}}}{{{k}}} = {value}", f"C_{{{n}}}^{{{k}}}", f"{{}}_{{{n}}}C_{{{k}}}", f"^{{{n}}}C_{{{k}}}", f"\\tbinom{{{n}}}{{{k}}}"]
    wrong = [f"\\binom{{{n + 1}}}{{{k}}}", str(value + 1), f"\\frac{{{n}!}}{{{k}!}}", f"\\frac{{{n}}}{{{k}}}", f"{n}!" if n > 3 else "1", f"\\binom{{{k}}}{{{n}}}"]
    return Drawn([gold, str(value)], right, wrong)
