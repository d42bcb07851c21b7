"""A measurement as a file asks for it: every key is honoured, or refused by name."""

from pathlib import Path
from typing import Any

from pipeline.errors import UserMistake
from pipeline.generating.prompts import from_objects, read_prompts
from pipeline.measuring.config import FLASH, Config
from pipeline.measuring.config_file import ConfigFile, read_config_file
from pipeline.measuring.config_keys import check_value
from pipeline.measuring.table import DECODERS, decoder_named

SOURCES = ("prompts", "prompts_file", "dataset", "data_file")


def read_config(file: Path) -> Config:
    """The measurement that a file asks for.

    Raises:
        UserMistake: it cannot be read, or has a key or a value that nothing can be done with.
    """
    source = read_config_file(file)
    values = source.values
    for name, value in values.items():
        check_value(source, name, value)
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
