"""Answers by class: many right spellings of one value, and near misses of it, drawn at random.

Every class is a function of a random generator that returns a `Drawn`: spellings that a gold answer
may have, spellings that are the same answer, and texts that are another answer. Labels follow from
how the texts are made; nothing here asks the grader.
"""

from collections.abc import Callable

from drawn import Chance, Drawn
from spellings_of_formulas import (
    circle,
    complex_number,
    exponential,
    function,
    line,
    logarithm,
    polynomial,
    radical,
    rational_function,
    symbolic,
    trigonometric,
    with_pi,
)
from spellings_of_numbers import (
    angle,
    based,
    clock,
    counting,
    decimal,
    fraction,
    integer,
    mixed_number,
    modular,
    money,
    percent,
    plus_minus,
    ratio,
    repeating,
    scientific,
    unit,
    word,
)
from spellings_of_sets import (
    excluded,
    family,
    inequality,
    interval,
    listing,
    matrix,
    nothing,
    ordered_names,
    point,
    union,
)

CLASSES: dict[str, Callable[[Chance], Drawn]] = {
    make.__name__: make
    for make in (
        integer,
        fraction,
        decimal,
        percent,
        money,
        unit,
        angle,
        radical,
        logarithm,
        complex_number,
        polynomial,
        rational_function,
        point,
        listing,
        interval,
        union,
        excluded,
        inequality,
        line,
        circle,
        matrix,
        based,
        plus_minus,
        mixed_number,
        repeating,
        scientific,
        modular,
        function,
        family,
        word,
        clock,
        ratio,
        trigonometric,
        exponential,
        counting,
        with_pi,
        nothing,
        ordered_names,
        symbolic,
    )
}
