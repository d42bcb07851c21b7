"""Keys and passwords, masked in everything that is written or shown.

A server may say back what it was sent: in the text of an error, and a model even in its own text.
It may have escaped or encoded it, more than once, and broken it over lines: so secrets are looked
for in the plain form of a text, in which all that is undone.
"""

import base64
import contextlib
import html
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Self
from urllib.parse import unquote, urlsplit

from pipeline.errors import EngineFailure, RunStopped, UserMistake

KEY_VARIABLE = "OPENAI_API_KEY"
MASK = "***"
SHORTEST_IN_MESSAGES = 4
"""A shorter one is no secret, and masking it would leave messages unreadable."""
SHORTEST_IN_TEXTS = 8
"""In what a model wrote a short one (`EMPTY`, say) is more likely a word."""
_CREDENTIALS = re.compile(r"(?<=://)\S{0,1000}@")
_NEXT_ADDRESS = re.compile(r"\n|\s*,\s*(?=https?://)")
"""A comma elsewhere may be a part of a password."""
LONGEST_SPELLING = 24
"""Characters in which one of a secret's is expected to be written at most."""
MOST_PASSES = 24
"""Encodings that are undone, one inside the other."""
_STANDARD = bytes.maketrans(b"-_", b"+/")

# White space, control characters, and what is not seen: soft hyphens, spaces of no width, marks of
# direction and of byte order.
_NOISE = re.compile(rb"[\s\x00-\x1f\x7f]+|\xc2\xad|\xe2\x80[\x8b-\x8f]|\xe2\x81\xa0|\xef\xbb\xbf")
# What JSON or a program writes for a character.
_ESCAPE = re.compile(
    rb"\\(?:u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|u([0-9a-f]{4})|x([0-9a-f]{2})|[nrtbfv])"
    rb"|\\([\\\"'/])"
)
# What an address writes for a byte, and a page for a sign. Both leave nothing of an outer kind, and
# an address no backslash: so those that are there are undone first.
_REFERENCE = re.compile(rb"%([0-9a-f]{2})|(&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|amp|lt|gt|quot|apos);)")
# A character of which not all is written may begin so.
_ENCODING = re.compile(r"[\\%&]\S{0,11}\Z")
_BACKSLASHES = re.compile(rb"\\+")


_Meaning = Callable[[re.Match[bytes]], bytes]


class _Plain(NamedTuple):
    """A text's plain form as bytes, and where in the text's own bytes each of them stands."""

    text: bytes
    starts: list[int]
    ends: list[int]


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must not be written, in every form in which a server may say it back."""

    in_messages: re.Pattern[bytes] | None = field(repr=False)
    in_texts: re.Pattern[bytes] | None = field(repr=False)
    longest: int
    forms: tuple[bytes, ...] = field(default=(), repr=False)
    """What is looked for in texts."""

    @classmethod
    def of(cls, base_url: str | None = None, *others: str) -> Self:
        """The environment's key, the passwords of addresses that have one, and the `others`."""
        key = api_key()
        secrets = [*others] if key is None else [key, *others]
        for address in addresses_in(base_url):
            user, _, password = map(unquote, credentials_of(address).partition(":"))
            if user or password:
                # Without a password the user is the secret: a token.
                encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
                secrets += [password or user, encoded]
        forms = _forms(secrets, SHORTEST_IN_TEXTS)
        return cls(
            _any_of(_forms(secrets, SHORTEST_IN_MESSAGES)),
            _any_of(forms),
            max(map(len, secrets), default=0) * LONGEST_SPELLING,
            tuple(forms),
        )

    def masked(self, message: str) -> str:
        """A message without the secrets, and without the `user:password@` of any address."""
        return _CREDENTIALS.sub(f"{MASK}@", _without(self.in_messages, message))

    def masked_text(self, text: str) -> str:
        """What a model wrote, without the secrets."""
        return _without(self.in_texts, text)

    def before_any(self, text: str, start: int) -> int:
        """Where in a text that a model is still writing a secret is, or may be beginning, from
        `start` on; its length so far where none is.
        """
        if self.in_texts is None:
            return len(text)
        tail = text[start : start + 2 * self.longest]
        raw = _ENCODING.sub("", tail).encode()
        plain = _located(raw)
        found = self.in_texts.search(plain.text)
        ends = [plain.starts[found.start()]] if found else []
        for form in self.forms:
            length = next((n for n in range(len(form), 0, -1) if plain.text.endswith(form[:n])), 0)
            ends += [plain.starts[-length]] if length else []
        return start + len(raw[: min(ends, default=len(raw))].decode("utf-8", "ignore"))


@contextlib.contextmanager
def masked_errors(secrets: Secrets) -> Iterator[None]:
    """Let no error out that holds one of them."""
    try:
        yield
    except (EngineFailure, UserMistake, RunStopped) as error:
        masked = secrets.masked(str(error))
        if masked == str(error):
            raise
        # Its cause would show what is masked here.
        raise type(error)(masked) from None


def api_key() -> str | None:
    """The key for servers; None where the environment has none."""
    return os.environ.get(KEY_VARIABLE, "").strip() or None


def addresses_in(base_url: str | None) -> tuple[str, ...]:
    """The addresses that a setting names, on lines of their own or with commas between them."""
    return tuple(_NEXT_ADDRESS.split(base_url)) if base_url else ()


def credentials_of(address: str) -> str:
    """The `user:password` in an address as it stands there, or nothing."""
    try:
        return urlsplit(address).netloc.rpartition("@")[0]
    except ValueError:
        return ""


def shown_address(given: str) -> str:
    """An address that may be none, without whatever of it may be a secret."""
    credentials, at, address = given.rpartition("@")
    shown, *secret = re.split(r"[?#]", address, maxsplit=1)
    scheme = re.match(r"[a-z]{0,9}://", credentials)
    before = f"{scheme.group() if scheme else ''}{MASK}@" if at else ""
    return f"{before}{shown}{f'?{MASK}' if secret else ''}"


def _forms(secrets: list[str], shortest: int) -> list[bytes]:
    """The secrets that are not too short, and Base64 of whatever holds them, in plain form.

    Base64 takes three bytes at once: what it makes of a secret depends on where in three it begins.
    """
    wanted = set()
    for secret in secrets:
        if len(secret) >= shortest:
            encoded = secret.encode()
            wanted |= {_plain(encoded), *(_plain(_base64(encoded, place)) for place in range(3))}
    return sorted(wanted - {b""}, key=len, reverse=True)


def _any_of(longest_first: list[bytes]) -> re.Pattern[bytes] | None:
    return re.compile(b"|".join(map(re.escape, longest_first))) if longest_first else None


def _base64(secret: bytes, place: int) -> bytes:
    """The digits that only the secret decides, where it begins `place` bytes into three."""
    digits = base64.b64encode(bytes(place) + secret)
    return digits[-(-place * 8 // 6) : (place + len(secret)) * 8 // 6]


def _without(secrets: re.Pattern[bytes] | None, text: str) -> str:
    if secrets is None:
        return text
    raw = text.encode("utf-8", "surrogatepass")
    if secrets.search(_plain(raw)) is None:
        return text
    plain = _located(raw)
    kept, end = [], 0
    for found in secrets.finditer(plain.text):
        kept.append(raw[end : plain.starts[found.start()]])
        end = plain.ends[found.end() - 1]
    kept.append(raw[end:])
    return MASK.encode().join(kept).decode("utf-8", "surrogatepass")


def _plain(raw: bytes) -> bytes:
    """`raw` in small letters, its escapes undone however deep they are, and without noise."""
    plain = _small(raw)
    for _ in range(MOST_PASSES):
        before = plain = _NOISE.sub(b"", plain)
        plain = _ESCAPE.sub(_escaped, before)
        if plain == before:
            plain = _REFERENCE.sub(_referred, before)
        if plain == before:
            break
    return _BACKSLASHES.sub(b"", plain)


def _located(raw: bytes) -> _Plain:
    """The same, byte by byte with its place."""
    plain = _Plain(_small(raw), list(range(len(raw))), list(range(1, len(raw) + 1)))
    for _ in range(MOST_PASSES):
        before = plain = _substituted(_NOISE, _nothing, plain)
        plain = _substituted(_ESCAPE, _escaped, before)
        if plain.text == before.text:
            plain = _substituted(_REFERENCE, _referred, before)
        if plain.text == before.text:
            break
    return _substituted(_BACKSLASHES, _nothing, plain)


def _substituted(pattern: re.Pattern[bytes], meaning: _Meaning, plain: _Plain) -> _Plain:
    """`plain` with the meaning of each match of `pattern` in its place."""
    text, starts, ends = bytearray(), list[int](), list[int]()
    last = 0
    for found in pattern.finditer(plain.text):
        begin, end = found.span()
        meant = meaning(found)
        text += plain.text[last:begin] + meant
        starts += plain.starts[last:begin] + [plain.starts[begin]] * len(meant)
        ends += plain.ends[last:begin] + [plain.ends[end - 1]] * len(meant)
        last = end
    return _Plain(
        bytes(text) + plain.text[last:], starts + plain.starts[last:], ends + plain.ends[last:]
    )


def _nothing(_found: re.Match[bytes]) -> bytes:
    return b""


def _escaped(found: re.Match[bytes]) -> bytes:
    high, low, unit, short, itself = found.groups()
    if itself is not None:
        return _small(itself)
    # Escaped white space is noise, too.
    digits = unit or (b"00" + short if short else (high or b"") + (low or b""))
    units = bytes.fromhex(digits.decode())
    return _small(units.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass"))


def _referred(found: re.Match[bytes]) -> bytes:
    byte, entity = found.groups()
    if byte is not None:
        return _small(bytes.fromhex(byte.decode()))
    return _small(html.unescape(entity.decode()).encode("utf-8", "surrogatepass"))


def _small(text: bytes) -> bytes:
    """In small letters, and Base64's other two digits as its usual ones."""
    return text.lower().translate(_STANDARD)
