"""The scripted engine's tokenizer: one token per UTF-8 byte, and one that ends a text."""

from collections.abc import Sequence

from pipeline.engines.protocol import Message

END = "<|end|>"
END_ID = 256


class ByteTokenizer:
    """Bytes are ids 0 to 255 (so '0' is 48); id 256 ends a text."""

    @property
    def eos_ids(self) -> frozenset[int]:
        """The one id that ends a text."""
        return frozenset({END_ID})

    @property
    def fingerprint(self) -> str:
        """There is only one of them."""
        return "bytes"

    def encode(self, text: str) -> list[int]:
        """The bytes of `text`; the end marker becomes its one id."""
        first, *others = text.split(END)
        ids = list(first.encode())
        for part in others:
            ids += [END_ID, *part.encode()]
        return ids

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of `token_ids`; broken characters become U+FFFD."""
        return bytes(token for token in token_ids if token < END_ID).decode(errors="replace")

    def render_chat(self, messages: Sequence[Message], *, thinking: bool | None = None) -> str:
        """Each message under its role's name; `thinking` opens the thinking block."""
        turns = "".join(f"{one['role']}: {one['content']}\n" for one in messages)
        return f"{turns}assistant: {'<think>' if thinking else ''}"
