"""Keys and passwords, masked in all that is written or shown.

A server may say back what it was sent: in the text of an error, and a model even in its own text.
"""

import base64
import json
import os
import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, unquote, urlsplit

KEY_VARIABLE = "OPENAI_API_KEY"
MASK = "***"
SHORTEST_IN_MESSAGES = 4
"""A shorter one is no secret, and masking it would leave messages unreadable."""
SHORTEST_IN_TEXTS = 8
"""In what a model wrote a short one (`EMPTY`, say) is more likely a word."""
_CREDENTIALS = re.compile(r"(?<=://)\S{0,1000}@")
LONGEST_SPELLING = 7
"""Characters at most in which a server writes one of a secret's, a space behind it included."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must not be written, in every form in which a server may say it back."""

    in_messages: re.Pattern[str] | None = field(repr=False)
    in_texts: re.Pattern[str] | None = field(repr=False)
    longest: int

    @classmethod
    def of(cls, base_url: str | None = None) -> Self:
        """The environment's key, and the password of an address that has one."""
        key = api_key()
        secrets = [] if key is None else [key, _base64(key)]
        user, _, password = map(unquote, credentials_of(base_url or "").partition(":"))
        if user or password:
            # Without a password the user is the secret: a token.
            secrets += [password or user, _base64(f"{user}:{password}")]
        return cls(
            _any_of(secrets, SHORTEST_IN_MESSAGES),
            _any_of(secrets, SHORTEST_IN_TEXTS),
            max(map(len, secrets), default=0) * LONGEST_SPELLING,
        )

    def masked(self, message: str) -> str:
        """A message without the secrets, and without the `user:password@` of any address."""
        if self.in_messages is not None:
            message = self.in_messages.sub(MASK, message)
        return _CREDENTIALS.sub(f"{MASK}@", message)

    def masked_text(self, text: str) -> str:
        """What a model wrote, without the secrets."""
        return text if self.in_texts is None else self.in_texts.sub(MASK, text)


def api_key() -> str | None:
    """The key for servers; None where the environment has none."""
    return os.environ.get(KEY_VARIABLE, "").strip() or None


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


def _base64(secret: str) -> str:
    return base64.b64encode(secret.encode()).decode().rstrip("=")


def _any_of(secrets: list[str], shortest: int) -> re.Pattern[str] | None:
    """Finds the secrets that are not too short, in every spelling of their characters."""
    spelt = [
        r"\s*".join(map(_spellings, secret))
        for secret in sorted(set(secrets), key=len, reverse=True)
        if len(secret) >= shortest
    ]
    return re.compile("|".join(spelt), re.IGNORECASE) if spelt else None


def _spellings(character: str) -> str:
    """A character as it is, as JSON may write it, and as an address does."""
    escaped = [re.escape(character), re.escape(json.dumps(character)[1:-1])]
    escaped += [rf"\\u{ord(character):04x}", re.escape(quote(character, safe=""))]
    escaped += [
        "".join(f"%{byte:02x}" for byte in character.encode()),
        rf"\\{re.escape(character)}",
    ]
    return f"(?:{'|'.join(dict.fromkeys(escaped))})"
