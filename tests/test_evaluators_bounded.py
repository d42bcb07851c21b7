"""Integrals, infinite sums and limits as numbers: a value only where independent ways agree."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.comparing.equivalence import readings
from evaluators.comparing.estimates import same_bounded
from evaluators.reading.render import render
from evaluators.verdict import Outcome

# What has no value, and what cannot be seen to have one.
WITHOUT_VALUE = [
    r"\int_0^1 \frac{dx}{x}",
    r"\int_{-1}^1 \frac{dx}{x}",
    r"\int_{-1}^1 \frac{dx}{x^2}",
    r"\int_0^2 \frac{dx}{x-1}",
    r"\int_0^\infty \sin x\,dx",
    r"\int_0^\infty \frac{\sin x}{x}\,dx",
    r"\int_{-\infty}^\infty x\,dx",
    r"\sum_{n=1}^\infty \frac1n",
    r"\sum_{n=2}^\infty \frac{1}{n\ln n}",
    r"\sum_{n=1}^\infty \frac{1}{\sqrt n}",
    r"\sum_{n=1}^\infty n",
    r"\sum_{n=0}^\infty (-1)^n",
    r"\sum_{n=1}^\infty (-1)^n \frac{n+1}{n}",
    r"\sum_{n=1}^\infty (-1)^n \ln n",
    r"\sum_{n=1}^\infty \frac{n^{100}}{2^n}",
    r"\sum_{n=1}^\infty \frac{n!}{1000^n}",
    r"\sum_{n=1}^\infty \frac{\sin n}{n^2}",
    r"\lim_{n\to\infty} (-1)^n",
    r"\lim_{n\to\infty} \cos(2\pi n/3)",
    r"\lim_{x\to\infty} \sin(\pi x)",
    r"\lim_{x\to 0} \sin\frac1x",
    r"\lim_{x\to 0} \frac{|x|}{x}",
    r"\lim_{x\to 0} \frac1x",
    r"\lim_{x\to 0^+} \frac{1}{\ln x}",
]


def outcome(left, right):
    return same_bounded(readings(left)[0], readings(right)[0]).outcome


@pytest.mark.parametrize("formula", WITHOUT_VALUE)
def test_what_diverges_or_oscillates_is_neither_equal_nor_different(formula):
    assert outcome(formula, "1") is Outcome.UNDECIDED


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(-5, 5), st.integers(1, 6), st.sampled_from([0, 1, -1]))
def test_powers_over_an_interval_have_their_exact_integral_and_no_other(power, low, width, off):
    exact = rf"\frac{{{(low + width) ** (power + 1) - low ** (power + 1)}}}{{{power + 1}}}"
    integral = rf"\int_{{{low}}}^{{{low + width}}} x^{{{power}}}\,dx"
    wanted = Outcome.DIFFERENT if off else Outcome.EQUAL
    assert outcome(integral, f"{exact} + \\frac{{{off}}}{{10}}") is wanted


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        (r"10^{12}\left(\int_0^1 x^2\,dx - \frac13\right)", "0"),
        (r"10^{12}\left(\int_0^1 x^2\,dx - \frac13\right)", r"\frac{1}{1000}"),
    ],
)
def test_an_error_that_a_formula_magnifies_leaves_it_undecided(formula, value):
    assert outcome(formula, value) is Outcome.UNDECIDED


@pytest.mark.parametrize(
    "text",
    [
        r"\int_0^\pi \sin x \, dx",
        r"\int_0^\pi \sin x dx",
        r"\int_0^\pi \sin x\,\mathrm{d}x",
        r"\int_0^\pi \sin x\,\mathrm{dx}",
        r"\int_0^\pi \sin x\,\text{d}x",
        r"\int_0^\pi \sin x d x",
        r"\int_0^\pi \sin{x} \, dx",
        r"\int_0^\pi dx \sin x",
        r"\int_0^\pi {\sin t} \, d t",
        r"\int_0^\pi \sin\theta\,d\theta",
        r"∫_0^π sin x dx",
        r"\int\limits_0^\pi \frac{\sin^2 x\,dx}{\sin x}",
    ],
)
def test_a_differential_is_no_part_of_a_functions_argument(text):
    assert outcome(text, "2") is Outcome.EQUAL


def test_what_an_explanation_shows_of_an_integral_reads_back_to_it():
    table = Path(__file__).parent / "cases" / "bounded.jsonl"
    for line in table.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for text in (row["gold"], row["answer"]):
            assert readings(render(readings(text)[0]))[0] == readings(text)[0], text
