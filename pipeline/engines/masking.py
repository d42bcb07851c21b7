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


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must not be written, in every form in which a server may say it back."""

    values: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, base_url: str | None = None) -> Self:
        """The environment's key, and the password of an address that has one."""
        key = api_key()
        secrets = [key] if key is not None else []
        user, _, password = map(unquote, credentials_of(base_url or "").partition(":"))
        if user or password:
            # Without a password the user is the secret: a token.
            sent = base64.b64encode(f"{user}:{password}".encode()).decode()
            secrets += [password or user, sent]
        forms = {form for secret in secrets for form in _forms(secret)}
        long_enough = (form for form in forms if len(form) >= SHORTEST_IN_MESSAGES)
        return cls(tuple(sorted(long_enough, key=len, reverse=True)))

    def masked(self, message: str) -> str:
        """A message without the secrets, and without the `user:password@` of any address."""
        for value in self.values:
            message = message.replace(value, MASK)
        return _CREDENTIALS.sub(f"{MASK}@", message)

    def masked_text(self, text: str) -> str:
        """What a model wrote, without the secrets."""
        for value in self.values:
            if len(value) >= SHORTEST_IN_TEXTS:
                text = text.replace(value, MASK)
        return text


def api_key() -> str | None:
    """The key for servers; None where the environment has none."""
    return os.environ.get(KEY_VARIABLE, "").strip() or None


def credentials_of(address: str) -> str:
    """The `user:password` in an address as it stands there, or nothing."""
    try:
        return urlsplit(address).netloc.rpartition("@")[0]
    except ValueError:
        return ""


def _forms(secret: str) -> set[str]:
    """A secret as it is, as JSON writes it, and as an address does."""
    in_json = json.dumps(secret)[1:-1]
    return {secret, in_json, in_json.replace("/", "\\/"), quote(secret, safe="")}
