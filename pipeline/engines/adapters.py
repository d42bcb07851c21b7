"""Adapters that settings name: whether they make sense, and what tells two of one name apart."""

import hashlib
from pathlib import Path
from typing import Any

from pipeline.decoding.adapter_names import CONFIG, MOST_BYTES, WEIGHTS
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake

DIGEST_DIGITS = 16


def check_adapter(settings: EngineSettings) -> None:
    """Raise `UserMistake` for settings of an adapter that is not named, or is not there."""
    given = {"--lora-rank": settings.lora_rank is not None, "--merge-lora": settings.merge_lora}
    idle = [name for name, is_given in given.items() if is_given]
    if settings.lora is None and idle:
        raise UserMistake(f"{idle[0]} has no effect without --lora; drop it, or name an adapter")
    if settings.lora is None:
        return
    if not Path(settings.lora).exists():
        raise UserMistake(
            f"the adapter {settings.lora} does not exist; give a folder as PEFT writes it, or a "
            ".pth file"
        )
    for file in _files(Path(settings.lora)):
        if not file.is_file() or file.stat().st_size > MOST_BYTES:
            raise UserMistake(
                f"the adapter {file} is no file of at most {MOST_BYTES:,} bytes; give a folder as "
                "PEFT writes it, or a .pth file"
            )


def adapter_identity(settings: EngineSettings) -> dict[str, Any]:
    """What decides what a model with an adapter writes beside the adapter's name.

    Raises:
        UserMistake: the adapter cannot be read.
    """
    check_adapter(settings)
    # Runs with a folder in vLLM were named before there was a digest, and keep their names.
    if settings.lora is None or (settings.engine == "vllm" and Path(settings.lora).is_dir()):
        return {}
    merged = {"merge_lora": True} if settings.merge_lora else {}
    return {"lora_digest": _digest(Path(settings.lora)), **merged}


def _digest(path: Path) -> str:
    """The beginning of a SHA-256 of what makes up the adapter."""
    whole = hashlib.sha256()
    for file in _files(path):
        try:
            with file.open("rb") as content:
                whole.update(hashlib.file_digest(content, "sha256").digest())
        except OSError as error:
            raise UserMistake(f"the adapter {file} cannot be read ({error.strerror})") from error
    return whole.hexdigest()[:DIGEST_DIGITS]


def _files(path: Path) -> list[Path]:
    """What makes it up, as far as it is there."""
    if not path.is_dir():
        return [path]
    return [path / name for name in (CONFIG, *WEIGHTS) if (path / name).exists()]
