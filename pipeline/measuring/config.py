"""The settings of a measurement, and their file: every key is honoured, or refused by name."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.sampling import Sampling
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.generating.prompts import Prompt, from_objects, read_prompts
from pipeline.measuring.config_file import ConfigFile, read_config_file
from pipeline.measuring.table import DECODERS, decoder_named
from pipeline.near_match import near_match

SDPA, FLASH = "sdpa", "flash_attention_2"
CACHES = ("dynamic", "static", "offloaded", "offloaded_static", "quantized")
ATTENTION = (SDPA, "eager", FLASH, "flash_attention_3", "flex_attention")
DTYPES = ("auto", "float32", "bfloat16", "float16")
GPU = "cuda:"
MOST = 1_000_000
"""No number of a config is larger by intent; many would first fill the memory."""
LONGEST = 1000
"""Characters that a name or a path may have."""
SHOWN = 80
SOURCES = ("prompts", "prompts_file", "dataset", "data_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What is measured. docs/measure.md says what each means; the names are those of the file.

    `prompts` are those of the file, or none where problems of a dataset are asked.
    """

    main_model: str
    assistant_model: str | None = None
    revision: str | None = None
    max_new_tokens: int = 150
    temperature: float = 0.7
    top_p: float = 0.9
    top_k: int = 50
    num_completions: int | tuple[int, ...] = 3
    batch_size: int = 4
    methods_to_test: tuple[str, ...] | None = None
    prompts: tuple[Prompt, ...] = ()
    use_chat_template: bool = False
    dataset: str | None = None
    data_file: Path | None = None
    problem_id: str = "all"
    use_quantization: bool = False
    use_flash_attention: bool = False
    attention: str | None = None
    use_speculative_decoding: bool | None = None
    cache_implementation: str = "dynamic"
    dtype: str = "auto"
    device: str = "auto"
    seed: int = 0
    warm_up: int = 1
    repeats: int = 3
    fallback: bool = False
    reuse_prompts: bool = False
    num_assistant_tokens: int | None = None
    assistant_confidence_threshold: float | None = None
    prompt_lookup_num_tokens: int = 8
    early_exit_layer: int | None = None
    window: int = 8
    append_eos: int = 31
    refine_rounds: int = 2
    output_dir: Path | None = None

    @property
    def attention_backend(self) -> str:
        """Who computes attention, as transformers calls it."""
        return FLASH if self.use_flash_attention else self.attention or SDPA

    @property
    def named_cache(self) -> str | None:
        """The cache that `generate()` is asked for by name; None for the one that it makes itself.

        Guesses are taken back from the cache, and only its own, a dynamic one, can do that.
        """
        return None if self.cache_implementation == "dynamic" else self.cache_implementation

    def engine(self, name: str) -> EngineSettings:
        """The main model's settings for one of the project's engines."""
        return EngineSettings(
            engine=name,
            model=self.main_model,
            revision=self.revision,
            dtype=self.dtype,
            reread_prompts=not self.reuse_prompts,
            devices={"auto": None, "cuda": None}.get(self.device, self.device.removeprefix(GPU)),
            sampling=self.sampling,
        )

    @property
    def assistant_folder(self) -> str | None:
        """Where the assistant is, or its name on the hub."""
        if self.assistant_model is None:
            return None
        return with_model_folder(EngineSettings("transformers", self.assistant_model)).model

    @property
    def sampling(self) -> Sampling:
        """How tokens are drawn."""
        return Sampling(temperature=self.temperature, top_p=self.top_p, top_k=self.top_k)

    @property
    def speculates(self) -> bool:
        """Whether decoders that need the assistant are asked for."""
        if self.use_speculative_decoding is None:
            return self.assistant_model is not None
        return self.use_speculative_decoding

    @property
    def methods(self) -> tuple[str, ...]:
        """The decoders that are asked for, in order."""
        if self.methods_to_test is not None:
            return self.methods_to_test
        return tuple(
            name for name, one in DECODERS.items() if self.speculates or not one.needs_assistant
        )

    def completions_of(self, place: int) -> int:
        """How many completions the prompt at that place has."""
        if isinstance(self.num_completions, int):
            return self.num_completions
        return self.num_completions[place]

    @property
    def identity(self) -> dict[str, Any]:
        """What a resumed measurement must share, as JSON has it."""
        free = {"output_dir", "repeats", "methods_to_test", "prompts", "data_file"}
        own = {name: one for name, one in asdict(self).items() if name not in free}
        return own | {
            "prompts": [one.recorded for one in self.prompts],
            "data_file": None if self.data_file is None else str(self.data_file.resolve()),
            "num_completions": self.num_completions
            if isinstance(self.num_completions, int)
            else list(self.num_completions),
        }


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


def read_config(file: Path) -> Config:
    """The measurement that a file asks for.

    Raises:
        UserMistake: it cannot be read, or has a key or a value that nothing can be done with.
    """
    source = read_config_file(file)
    values = source.values
    for name, value in values.items():
        _check(source, name, value)
    if not isinstance(values.get("main_model"), str):
        raise UserMistake(f"{file} names no main_model: a folder, a hub name, or pocket-target.")
    sources = [name for name in SOURCES if values.get(name) is not None]
    if len(sources) != 1:
        raise UserMistake(
            f"{file} has {' and '.join(sources) or 'nothing'} to ask; give exactly one of "
            f"{', '.join(SOURCES)}."
        )
    config = Config(**_typed(source))
    _check_together(source, config)
    return config


def _check(source: ConfigFile, name: str, value: object) -> None:
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


def _typed(source: ConfigFile) -> dict[str, Any]:
    """The values as `Config` has them; paths are relative to the file."""
    values = dict(source.values)
    folder = source.file.parent
    for name in ("data_file", "output_dir"):
        if name in values:
            values[name] = folder / values[name] if name == "data_file" else Path(values[name])
    if "prompts_file" in values:
        values["prompts"] = read_prompts(folder / values.pop("prompts_file"))
    elif "prompts" in values:
        try:
            values["prompts"] = from_objects(values["prompts"])
        except UserMistake as error:
            raise source.mistake("prompts", str(error)) from error
    if isinstance(values.get("num_completions"), list):
        values["num_completions"] = tuple(values["num_completions"])
    names = values.get("methods_to_test")
    if names is not None:
        values["methods_to_test"] = _methods(source, names)
    return values


def _methods(source: ConfigFile, names: list[object]) -> tuple[str, ...]:
    if not names:
        raise source.mistake("methods_to_test", "methods_to_test is empty; null means all.")
    known = []
    for name in names:
        try:
            known.append(decoder_named(name if isinstance(name, str) else repr(name)).name)
        except UserMistake as error:
            raise source.mistake("methods_to_test", str(error)) from error
    twice = next((name for name in known if known.count(name) > 1), None)
    if twice is not None:
        raise source.mistake("methods_to_test", f"{twice} stands there twice; drop one.")
    return tuple(known)


def _check_together(source: ConfigFile, config: Config) -> None:
    """Refuse what contradicts, and what would have no effect."""
    counts = config.num_completions
    if not isinstance(counts, int) and config.prompts and len(counts) != len(config.prompts):
        raise source.mistake(
            "num_completions",
            f"num_completions lists {len(counts)} numbers for {len(config.prompts)} prompts.",
        )
    asks_problems = config.dataset is not None or config.data_file is not None
    if asks_problems and not isinstance(counts, int):
        raise source.mistake(
            "num_completions",
            "num_completions is one number where problems are asked.",
        )
    for name, idle in (("problem_id", not asks_problems), ("use_chat_template", asks_problems)):
        if name in source.values and idle:
            why = "problems always are a chat" if asks_problems else "there is no dataset"
            raise source.mistake(name, f"{name} has no effect here ({why}); drop it.")
    for name in ("num_assistant_tokens", "assistant_confidence_threshold"):
        if source.values.get(name) is not None and config.assistant_model is None:
            raise source.mistake(name, f"{name} has no effect without assistant_model; drop it.")
    if config.use_flash_attention and config.attention not in {None, FLASH}:
        raise source.mistake(
            "attention", f"attention is {config.attention!r} beside use_flash_attention; drop one."
        )
    if config.methods_to_test is not None and config.use_speculative_decoding is False:
        for name in config.methods_to_test:
            if DECODERS[name].needs_assistant:
                raise source.mistake(
                    "methods_to_test",
                    f"{name} is asked for, and use_speculative_decoding is false; drop one.",
                )
    if config.device not in {"auto", "cpu", "cuda"} and not _is_gpu(config.device):
        raise source.mistake(
            "device", f"device is {config.device!r}; it is auto, cpu, cuda or cuda:N."
        )


def _is_gpu(device: str) -> bool:
    name, _, number = device.partition(":")
    return name == "cuda" and number.isdecimal()
