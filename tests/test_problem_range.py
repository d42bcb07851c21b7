import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserMistake
from pipeline.problems.ranges import select_ids

AIME = tuple(str(number) for number in range(60, 90))
ALIASES = {"2024-I-1": "60", "2024-I-10": "61", "2024-I-3": "68"}
GAPS = ("0", "1", "2", "5", "9")
NAMED = ("geo-1", "geo-2", "7", "3-4")


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("60-62", ["60", "61", "62"]),
        ("60-89", list(AIME)),
        ("all", list(AIME)),
        ("61,60", ["60", "61"]),
        ("60,63,70-72", ["60", "63", "70", "71", "72"]),
        (" 60 , 62 - 63 ", ["60", "62", "63"]),
        ("60,60-61,first:2", ["60", "61"]),
        ("first:3", ["60", "61", "62"]),
        ("first:30", list(AIME)),
        ("2024-I-3", ["68"]),
        ("2024-I-3,2024-I-10,89", ["61", "68", "89"]),
    ],
)
def test_a_range_names_problems_in_the_order_of_the_dataset(text: str, ids: list[str]) -> None:
    assert list(select_ids(text, "aime", AIME, ALIASES)) == ids


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("59", "problem 59 is not in aime"),
        ("88-90", "problem 90 is not in aime"),
        ("0-999999999", "problem 0 is not in aime"),
        ("60-999999999999999999", "problem 90 is not in aime"),
        ("89-60", "runs backwards; write 60-89"),
        ("", "empty"),
        (" ", "empty"),
        ("60,,61", "empty"),
        ("60,", "empty"),
        ("first:0", "first:0 selects nothing"),
        ("first:31", "has only 30 problems"),
        ("first:x", "names no problem"),
        ("-5", "names no problem"),
        ("60-", "names no problem"),
        ("9" * 5000, "names no problem"),
        ("२", "names no problem"),
        ("2024-I-33", "did you mean 2024-I-3"),
        ("ALL", "names no problem"),
    ],
)
def test_a_wrong_range_is_refused_with_the_valid_one(text: str, what: str) -> None:
    with pytest.raises(UserMistake, match=what) as caught:
        select_ids(text, "aime", AIME, ALIASES)
    assert "valid are 60-89 (also by names like 2024-I-1)" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_range_across_a_gap_names_the_missing_problem() -> None:
    assert select_ids("0-2,5", "mine", GAPS, {}) == ("0", "1", "2", "5")
    with pytest.raises(UserMistake, match="problem 3 is not in mine; valid are 0-2,5,9"):
        select_ids("0-5", "mine", GAPS, {})


def test_ids_that_are_names_are_ids_even_if_they_look_like_a_range() -> None:
    assert select_ids("geo-2,3-4", "mine", NAMED, {}) == ("geo-2", "3-4")
    with pytest.raises(UserMistake, match="valid are the 4 ids from geo-1 to 3-4"):
        select_ids("geo-3", "mine", NAMED, {})


def test_numbers_match_ids_with_leading_zeros() -> None:
    assert select_ids("7-8", "mine", ("007", "008"), {}) == ("007", "008")
    assert select_ids("7", "mine", ("007", "008"), {}) == ("007",)


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(0, 60), st.integers(0, 60))
def test_a_span_selects_exactly_its_numbers_or_refuses(
    numbers: set[int], low: int, high: int
) -> None:
    ids = [str(number) for number in sorted(numbers, key=str)]
    wanted = set(range(low, high + 1))
    if wanted and wanted <= numbers:
        chosen = select_ids(f"{low}-{high}", "mine", ids, {})
        assert list(chosen) == [name for name in ids if int(name) in wanted]
    else:
        with pytest.raises(UserMistake, match=r"is not in mine|runs backwards"):
            select_ids(f"{low}-{high}", "mine", ids, {})


@given(st.text(max_size=30))
def test_any_text_selects_something_or_is_a_mistake(text: str) -> None:
    try:
        chosen = select_ids(text, "aime", AIME, ALIASES)
    except UserMistake:
        return
    assert chosen
    assert len(set(chosen)) == len(chosen)
