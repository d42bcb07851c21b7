"""Hugging Face tokenizers behind the project's own small interface."""

import hashlib
import json
import re
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from pipeline.engines.model_extras import template_settings
from pipeline.engines.model_files import HUB_ADVICE, first_line, looks_like_path, read_json
from pipeline.engines.protocol import Message
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "vocab.txt")
LOADING = threading.Lock()
"""Held while transformers loads a tokenizer: its modules cannot be imported by two threads at once.
"""
REMEMBERED = 1024
"""Texts whose tokens are kept: the tracks and repeats of a problem begin alike, and every track
asks the same question."""


def _check_tokenizer_path(source: str) -> None:
    folder = Path(source)
    if looks_like_path(source) and not folder.is_dir():
        raise UserMistake(f"the tokenizer folder {source} does not exist")
    if folder.is_dir() and not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise UserMistake(
            f"the folder {source} has no tokenizer files (such as {TOKENIZER_FILES[0]}); "
            "copy them there or name another tokenizer with --tokenizer"
        )


class HFTokenizer:
    """A `Tokenizer` over transformers' AutoTokenizer."""

    def __init__(
        self, tokenizer: Any, eos_ids: frozenset[int], template: Mapping[str, Any] | None = None
    ) -> None:
        """`template` is what the chat template is given beside the chat.

        Raises `UserMistake` for what it would take no notice of.
        """
        self._tokenizer = tokenizer
        self._template = template or {}
        for name in self._template:
            self._refuse_unused(name)
        self._eos_ids = eos_ids
        self._encoded = lru_cache(REMEMBERED)(self._encode)
        self._rendered = lru_cache(REMEMBERED)(self._render)

    @classmethod
    def load(
        cls,
        source: str,
        revision: str | None = None,
        *,
        trust_remote_code: bool = False,
        template: Mapping[str, Any] | None = None,
    ) -> "HFTokenizer":
        """Load from a folder or the hub; raises `UserMistake` when there is no tokenizer."""
        _check_tokenizer_path(source)
        # Tells of a hub that is down in seconds, and of a gated or unknown model in one sentence.
        read_json(source, revision, "tokenizer_config.json")
        try:
            with LOADING:
                from transformers import AutoTokenizer  # noqa: PLC0415 - takes seconds

                tokenizer = AutoTokenizer.from_pretrained(
                    source, revision=revision, trust_remote_code=trust_remote_code
                )
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise UserMistake(
                f"the tokenizer of {source!r} cannot be loaded ({first_line(error)}); {HUB_ADVICE}"
            ) from error
        return cls(tokenizer, _eos_ids(source, revision, tokenizer.eos_token_id), template)

    @classmethod
    def of(cls, settings: EngineSettings) -> "HFTokenizer":
        """The tokenizer that the settings name, or their model's own at the model's revision.

        Raises `UserMistake` when there is none.
        """
        return cls.load(
            settings.tokenizer or settings.model,
            None if settings.tokenizer else settings.revision,
            trust_remote_code=settings.trust_remote_code,
            template=template_settings(settings),
        )

    @property
    def eos_ids(self) -> frozenset[int]:
        """The tokenizer's end id and those of the model's generation_config.json."""
        return self._eos_ids

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the whole vocabulary, added tokens included."""
        vocabulary = json.dumps(self._tokenizer.get_vocab(), sort_keys=True)
        return hashlib.sha256(vocabulary.encode()).hexdigest()

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, with nothing added."""
        return list(self._encoded(text))

    def _encode(self, text: str) -> tuple[int, ...]:
        # Not with its own warning about long texts: what has no room is refused by name.
        return tuple(self._tokenizer.encode(text, add_special_tokens=False, verbose=False))

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of `token_ids`, special tokens left out, spaces as they are."""
        text: str = self._tokenizer.decode(
            list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def decode_with_special(self, token_ids: Sequence[int]) -> str:
        """The text of `token_ids` with its special tokens, for servers that take only text."""
        text: str = self._tokenizer.decode(
            list(token_ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text

    def render_chat(self, messages: Sequence[Message], *, thinking: bool | None = None) -> str:
        """The chat by the model's own template; without one, the contents as paragraphs.

        Raises `UserMistake` when the template cannot render it.
        """
        chat = tuple((message["role"], message["content"]) for message in messages)
        return self._rendered(chat, thinking)

    def _render(self, chat: tuple[tuple[str, str], ...], thinking: bool | None) -> str:
        if not self._tokenizer.chat_template:
            return "".join(f"{content}\n\n" for _, content in chat)
        asked = {**self._template} | ({} if thinking is None else {"enable_thinking": thinking})
        try:
            text: str = self._tokenizer.apply_chat_template(
                [{"role": role, "content": content} for role, content in chat],
                tokenize=False,
                add_generation_prompt=True,
                **asked,
            )
        except TemplateError as error:
            raise UserMistake(
                f"the chat template of the tokenizer {self._tokenizer.name_or_path} cannot render "
                f"a question: {first_line(error)}; name a tokenizer that can with --tokenizer"
                + self._or_no_system_prompt(chat)
            ) from error
        if any(role == "system" and content.strip() not in text for role, content in chat):
            raise UserMistake(
                f"the chat template of the tokenizer {self._tokenizer.name_or_path} leaves the "
                "system prompt out; drop --system-prompt"
            )
        return text

    @staticmethod
    def _or_no_system_prompt(chat: tuple[tuple[str, str], ...]) -> str:
        return ", or drop --system-prompt" if any(role == "system" for role, _ in chat) else ""

    def _refuse_unused(self, name: str) -> None:
        """Raise `UserMistake` for a setting that does not occur in the chat template."""
        source = self._tokenizer.get_chat_template() if self._tokenizer.chat_template else ""
        if re.search(rf"\b{re.escape(name)}\b", source) is None:
            has = "takes no notice of" if source else "is not there to take notice of"
            raise UserMistake(
                f"the chat template of the tokenizer {self._tokenizer.name_or_path} {has} "
                f"{name!r}; drop it from --chat-template-kwargs or --reasoning-effort"
            )


def _eos_ids(source: str, revision: str | None, eos_id: int | None) -> frozenset[int]:
    """Every id that ends a text; generation_config.json often names more than the tokenizer."""
    generation = read_json(source, revision, "generation_config.json") or {}
    more = generation.get("eos_token_id")
    ids = {eos_id, *(more if isinstance(more, list) else [more])}
    return frozenset(token for token in ids if isinstance(token, int))
