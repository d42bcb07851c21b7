"""Prompts to answer: from the command line, or from a file of lines or of objects."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.engines.protocol import Message, Tokenizer
from pipeline.errors import UserMistake
from pipeline.problems.data_files import Row, distinct, read_rows, refuse_half_characters

TEXTS = ("prompt", "question", "text", "problem")
"""What the prompt may be called in an object."""
MESSAGES = "messages"
ROWS = (".jsonl", ".csv", ".parquet")
"""Files of objects; see `pipeline.problems.data_files`."""
ID = "id"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt: a text, or a chat of several messages."""

    prompt_id: str
    asked: str | tuple[Message, ...]

    @property
    def messages(self) -> tuple[Message, ...]:
        """As a chat; a text is what the user says."""
        if isinstance(self.asked, str):
            return ({"role": "user", "content": self.asked},)
        return self.asked

    def text_for(self, tokenizer: Tokenizer, *, as_chat: bool) -> str:
        """What the model continues; a chat of messages is one whatever is said."""
        if as_chat or not isinstance(self.asked, str):
            return tokenizer.render_chat(self.messages)
        return self.asked

    @property
    def recorded(self) -> dict[str, object]:
        """What an answer's row says of it."""
        if isinstance(self.asked, str):
            return {ID: self.prompt_id, "prompt": self.asked}
        return {ID: self.prompt_id, MESSAGES: [dict(message) for message in self.asked]}


def from_objects(given: Iterable[object]) -> tuple[Prompt, ...]:
    """Texts and objects, as a file's list holds them.

    Raises:
        UserMistake: there is none, or one is no prompt.
    """
    prompts = _distinct(_entries("prompts", given))
    if not prompts:
        raise UserMistake("there is no prompt")
    return prompts


def from_texts(texts: Iterable[str], source: str = "prompt") -> tuple[Prompt, ...]:
    """Texts as prompts, called by their numbers from 0; `source` is what messages call them.

    Raises:
        UserMistake: one is empty, or cannot be written as UTF-8.
    """
    rows = (Row(f"{source} {number}", {"prompt": text}) for number, text in enumerate(texts))
    return _distinct(rows)


def read_prompts(file: Path) -> tuple[Prompt, ...]:
    """The prompts of a file, in its order, with its ids or else their numbers from 0.

    `.txt` has one a line, without the empty ones; `.json` a list of texts or objects; `.jsonl`,
    `.csv` and `.parquet` have an object a row. An object has one of TEXTS or MESSAGES.

    Raises:
        UserMistake: it cannot be read, a row holds no prompt, or an id stands twice.
    """
    if file.suffix.lower() == ".txt":
        rows: Iterable[Row] = _lines(file)
    elif file.suffix.lower() == ".json":
        rows = _listed(file)
    elif file.suffix.lower() in ROWS:
        rows = read_rows(file)
    else:
        raise UserMistake(
            f"{file} is called neither .txt nor .json, nor {', '.join(ROWS)}: the name says how it "
            "is read. What comes through a pipe is written to such a file first."
        )
    prompts = _distinct(rows)
    if not prompts:
        raise UserMistake(f"{file} holds no prompt.")
    return prompts


def _distinct(rows: Iterable[Row]) -> tuple[Prompt, ...]:
    places: dict[str, str] = {}
    prompts = []
    for number, row in enumerate(rows):
        prompt = _prompt(row, number)
        first = places.setdefault(prompt.prompt_id, row.where)
        if first != row.where:
            raise UserMistake(f"{row.where} has the id {prompt.prompt_id!r}, as {first} has.")
        prompts.append(prompt)
    return tuple(prompts)


def _prompt(row: Row, number: int) -> Prompt:
    there = [name for name in (*TEXTS, MESSAGES) if row.values.get(name) is not None]
    if len(there) != 1:
        raise UserMistake(
            f"{row.where} has {' and '.join(there) or 'no prompt'}; give exactly one of "
            f"{', '.join(TEXTS)} and {MESSAGES}."
        )
    prompt_id = row.values.get(ID, number)
    if isinstance(prompt_id, bool) or not isinstance(prompt_id, str | int):
        said = json.dumps(prompt_id, default=str)
        raise UserMistake(
            f"{row.where}: the id is {said}; it must be a text or a whole number, or left out."
        )
    refuse_half_characters(f"{row.where}: the id", str(prompt_id))
    asked = row.values[there[0]]
    if there[0] == MESSAGES:
        return Prompt(str(prompt_id), _messages(row.where, asked))
    if not isinstance(asked, str) or not asked.strip():
        raise UserMistake(f"{row.where}: the {there[0]} is {asked!r}; it must be a text.")
    refuse_half_characters(f"{row.where}: the {there[0]}", asked)
    return Prompt(str(prompt_id), asked)


def _messages(where: str, asked: object) -> tuple[Message, ...]:
    wrong = UserMistake(
        f"{where}: messages must be a list of objects that each have a role and a content, both "
        "texts, and no more."
    )
    if not isinstance(asked, Sequence) or isinstance(asked, str) or not asked:
        raise wrong
    for one in asked:
        if not isinstance(one, Mapping) or {*one} != {"role", "content"}:
            raise wrong
        if not all(isinstance(value, str) for value in one.values()):
            raise wrong
        for name, value in one.items():
            refuse_half_characters(f"{where}: the {name} of a message", value)
    return tuple(dict(one) for one in asked)


def _lines(file: Path) -> Iterator[Row]:
    # Not splitlines: what it takes for ends of lines too, such as U+2028, stands within prompts.
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if line.strip():
            yield Row(f"{file.name}:{number}", {"prompt": line})


def _listed(file: Path) -> Iterator[Row]:
    try:
        content = json.loads(_text(file), object_pairs_hook=distinct)
    except (ValueError, RecursionError) as error:
        raise UserMistake(f"{file} is not JSON ({error}).") from error
    if not isinstance(content, list):
        raise UserMistake(f"{file} is no list; give a list of texts or of objects, or a .jsonl.")
    yield from _entries(file.name, content)


def _entries(name: str, content: Iterable[object]) -> Iterator[Row]:
    for number, one in enumerate(content):
        where = f"{name}, entry {number}"
        if isinstance(one, str):
            yield Row(where, {"prompt": one})
        elif isinstance(one, dict):
            yield Row(where, one)
        else:
            raise UserMistake(f"{where} is neither a text nor an object.")


def _text(file: Path) -> str:
    if file.exists() and not file.is_file():
        raise UserMistake(f"{file} is no file; give a .txt, .json or .jsonl file.")
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserMistake(f"{file} is not UTF-8 text: {error}") from error
    except OSError as error:
        raise UserMistake(f"{file} cannot be read: {error.strerror or error}") from error
