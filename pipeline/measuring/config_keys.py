"""The keys of a config's file: which there are, and what each may be."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pipeline.measuring.config import ATTENTION, CACHES, DTYPES
from pipeline.measuring.config_file import ConfigFile
from pipeline.near_match import near_match

MOST = 1_000_000
"""No number of a config is larger by intent; many would first fill the memory."""
LONGEST = 1000
"""Characters that a name or a path may have."""
SHOWN = 80


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the file: the kinds of value it takes, and which of them."""

    kinds: tuple[type, ...]
    means: str
    least: float | None = None
    most: float | None = None
    choices: Collection[str] = ()
    nothing: bool = False


def _text(*choices: str, nothing: bool = False) -> Key:
    return Key((str,), "a line of text", choices=choices, nothing=nothing)


def _whole(least: int, *, nothing: bool = False) -> Key:
    means = f"a whole number from {least} to {MOST:,}"
    return Key((int,), means, least=least, most=MOST, nothing=nothing)


_SWITCH = Key((bool,), "true or false")
KEYS: Mapping[str, Key] = {
    "main_model": _text(),
    "assistant_model": _text(nothing=True),
    "revision": _text(nothing=True),
    "max_new_tokens": _whole(1),
    "temperature": Key((int, float), "a number from 0 to 2", least=0, most=2),
    "top_p": Key((int, float), "a number above 0 and at most 1", least=1e-9, most=1),
    "top_k": _whole(0),
    "num_completions": Key(
        (int, list),
        f"a whole number from 1 to {MOST:,}, or a list of them, one for each prompt",
        least=1,
        most=MOST,
    ),
    "batch_size": _whole(1),
    "methods_to_test": Key((list,), "a list of decoders, or null for all", nothing=True),
    "prompts": Key((list,), "a list of texts or objects"),
    "prompts_file": _text(),
    "use_chat_template": _SWITCH,
    "dataset": _text(),
    "data_file": _text(),
    "problem_id": _text(),
    "use_quantization": _SWITCH,
    "use_flash_attention": _SWITCH,
    "attention": _text(*ATTENTION, nothing=True),
    "use_speculative_decoding": Key((bool,), "true or false", nothing=True),
    "cache_implementation": _text(*CACHES),
    "dtype": _text(*DTYPES),
    "device": _text(),
    "seed": Key((int,), "a whole number"),
    "warm_up": _whole(0),
    "repeats": _whole(1),
    "fallback": _SWITCH,
    "reuse_prompts": _SWITCH,
    "num_assistant_tokens": _whole(1, nothing=True),
    "assistant_confidence_threshold": Key(
        (int, float), "a number from 0 to 1", least=0, most=1, nothing=True
    ),
    "prompt_lookup_num_tokens": _whole(1),
    "early_exit_layer": _whole(1, nothing=True),
    "window": _whole(2),
    "append_eos": _whole(0),
    "refine_rounds": _whole(1),
    "output_dir": _text(),
}
"""Every key that a file may have."""


def check_value(source: ConfigFile, name: str, value: object) -> None:
    """Raise `UserMistake` where there is no such key, or its value cannot be that."""
    key = KEYS.get(name)
    if key is None:
        near = near_match(name, KEYS)
        hint = f"did you mean {near!r}?" if near is not None else f"there are: {', '.join(KEYS)}."
        raise source.mistake(name, f"there is no key {name!r}; {hint}")
    if value is None and key.nothing:
        return
    shown = json.dumps(value) if isinstance(value, bool | None) else repr(value)
    said = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
    wrong = source.mistake(name, f"{name} is {said}; it must be {key.means}.")
    if not isinstance(value, key.kinds) or (isinstance(value, bool) and bool not in key.kinds):
        raise wrong
    if key.choices and value not in key.choices:
        near = near_match(str(value)[:SHOWN], key.choices)
        hint = (
            f"did you mean {near!r}?"
            if near is not None
            else f"it is one of {', '.join(key.choices)}."
        )
        raise source.mistake(name, f"{name} is {said}; {hint}")
    if isinstance(value, str) and not (value.strip() and value.isprintable()):
        raise wrong
    if isinstance(value, str) and len(value) > LONGEST:
        raise source.mistake(name, f"{name} has {len(value)} characters; it is a name or a path.")
    for one in value if isinstance(value, list) and key.least is not None else [value]:
        if isinstance(one, bool) or not isinstance(one, int | float):
            if isinstance(value, list) and key.least is not None:
                raise wrong
            continue
        if isinstance(value, list) and not isinstance(one, int):
            raise wrong
        if (key.least is not None and one < key.least) or (key.most is not None and one > key.most):
            raise wrong
