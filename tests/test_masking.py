"""Keys and passwords are masked in whatever way a server has escaped, encoded or broken them."""

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.engines.masking import MASK, Secrets

KEY = "sk-proj/aB&c+D<e>F=0123456789"
PASSWORD = 'wör"d\\p%41ss & x'


@pytest.fixture(scope="module", autouse=True)
def _key():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", KEY)
        yield


def secrets() -> Secrets:
    return Secrets.of(f"http://user:{quote(PASSWORD, safe='')}@host/v1")


def in_json(text: str) -> str:
    return json.dumps({"error": {"message": text}})


def every_character(text: str) -> str:
    return json.dumps("".join(text)).translate({ord(one): f"\\u{ord(one):04X}" for one in "/&<+-"})


def percent_all(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def in_base64(text: str) -> str:
    return base64.b64encode(f"Bearer {text}".encode()).decode()


def broken(text: str) -> str:
    return "\n".join(text[at : at + 7] for at in range(0, len(text), 7))


def slashes(text: str) -> str:
    return json.dumps(text).replace("/", "\\/")


ENCODINGS: list[Callable[[str], str]] = [
    in_json,
    every_character,
    slashes,
    quote,
    lambda text: quote(text, safe=""),
    percent_all,
    html.escape,
    lambda text: text.encode("unicode_escape").decode(),
    broken,
    lambda text: text.encode().upper().decode(),
]
NESTED = st.lists(st.sampled_from(ENCODINGS), max_size=5)


def encoded(text: str, encodings: list[Callable[[str], str]]) -> str:
    for encode in encodings:
        text = encode(text)
    return text


@given(NESTED, st.sampled_from([KEY, PASSWORD]), st.integers(0, 2), st.booleans())
@example([broken, in_json], KEY, 0, False)
@example([in_json, in_json], KEY, 0, False)
@example([quote, in_json], PASSWORD, 0, False)
@example([], KEY, 1, True)
def test_no_nesting_of_encodings_and_line_breaks_hides_a_secret(encodings, secret, before, base):
    wrapped = in_base64("x" * before + secret) if base else secret
    for mask in (secrets().masked, secrets().masked_text):
        said = mask(encoded(f"<{wrapped}>", encodings))
        assert MASK in said
        assert encoded(secret, encodings) not in said


@given(st.text(max_size=200))
def test_what_holds_no_secret_stays_as_it_is(text):
    assert secrets().masked_text(text) == text


@given(st.text(max_size=40), st.text(max_size=40))
def test_only_the_secret_is_taken_out_of_a_text(before, after):
    said = secrets().masked_text(f"{before} {KEY} {after}")
    assert said == f"{before} {MASK} {after}"


@pytest.mark.parametrize("piece", ["\\", "%", "%25", "\\u", "\\\\n", "&#", "sk-proj/", "s\\", " "])
def test_searching_takes_time_in_proportion_to_the_text(piece):
    """Quadratic time would take hours here, not a second."""
    text = piece * (500_000 // len(piece))
    assert secrets().masked_text(text) == text
