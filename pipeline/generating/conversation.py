"""A conversation with a model: what was said so far, and what is asked next."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluators.run_files.whole_file import whole_file
from pipeline.engines.protocol import Message
from pipeline.errors import UserMistake
from pipeline.generating.prompts import Prompt, read_prompts


@dataclass(slots=True)
class Conversation:
    """Messages in turns; `turns` counts what was asked, also before a reset.

    A file is written over only if this conversation was saved there before, since its last reset.
    """

    system_prompt: str | None = None
    messages: list[Message] = field(default_factory=list)
    turns: int = 0
    _saved: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not self.messages:
            self.reset()

    def reset(self) -> None:
        """Begin anew, with the system prompt."""
        self._saved.clear()
        prompt = self.system_prompt
        self.messages = [] if prompt is None else [{"role": "system", "content": prompt}]

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
