"""A conversation with a model: what was said so far, and what is asked next."""

import json
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, Self

from evaluators.run_files.whole_file import whole_file
from pipeline.engines.protocol import Message
from pipeline.errors import UserMistake
from pipeline.generating.prompts import Prompt, read_prompts

SYSTEM = ("system", "developer")
"""Roles of the system prompt; newer templates call it the second."""


@dataclass(slots=True)
class Conversation:
    """Messages in turns; `turns` counts what was asked, also before a reset.

    What the system says before all else is its beginning. A file is written over only if this
    conversation was saved there before, since its last reset.
    """

    messages: list[Message]
    turns: int = 0
    _beginning: list[Message] = field(init=False)
    _saved: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._beginning = [*takewhile(lambda one: one["role"] in SYSTEM, self.messages)]

    @classmethod
    def begun(cls, system_prompt: str | None) -> Self:
        """A new one."""
        return cls([] if system_prompt is None else [{"role": "system", "content": system_prompt}])

    def reset(self) -> None:
        """Begin anew, with the system prompt."""
        self._saved.clear()
        self.messages = self._beginning

    def question(self, text: str) -> Prompt:
        """What is asked next, with all that was said before."""
        self.turns += 1
        return Prompt(f"turn {self.turns}", (*self.messages, {"role": "user", "content": text}))

    def keep(self, question: Prompt, answer: str) -> None:
        """Go on with a question and its answer."""
        self.messages = [*question.messages, {"role": "assistant", "content": answer}]

    def save(self, file: Path, settings: dict[str, Any]) -> bool:
        """Write it as a list of one object, as `--prompts-file` and `--history` read it.

        The result is whether that replaced what was saved of it earlier.

        Raises:
            UserMistake: it cannot be written there, or another file is there.
        """
        if file.suffix.lower() != ".json":
            raise UserMistake(f"{file} is not called .json, which says how a conversation is read.")
        text = json.dumps(
            [{"id": "chat", "messages": self.messages, "settings": settings}],
            ensure_ascii=False,
            indent=2,
        )
        try:
            if not file.resolve().parent.is_dir():
                raise UserMistake(f"There is no folder {file.parent}; make it, or name another.")
            replaced = file.exists()
            if replaced and file.resolve() not in self._saved:
                raise UserMistake(f"{file} is there already; choose another name.")
            with whole_file(file) as out:
                out.write(text.encode("utf-8", "replace") + b"\n")
        except (OSError, ValueError) as error:
            raise UserMistake(f"{file} cannot be written ({error}).") from error
        self._saved.add(file.resolve())
        return replaced


def read_conversation(file: Path) -> list[Message]:
    """The messages of a conversation that was saved.

    Raises:
        UserMistake: the file holds none, or several.
    """
    prompts = read_prompts(file)
    if len(prompts) != 1 or isinstance(prompts[0].asked, str):
        raise UserMistake(f"{file} does not hold one conversation.")
    return list(prompts[0].messages)
