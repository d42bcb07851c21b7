"""Where a model's files are: in a local folder, or in the Hugging Face cache or hub."""

import json
from pathlib import Path
from typing import Any

import httpx
from huggingface_hub import constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError

from pipeline.errors import UserMistake

HUB_SECONDS = 5.0
# vLLM, transformers and the tokenizers each make their own sentence of the same failure.
HUB_ADVICE = "check the name and the connection to the hub, or give a folder that holds the model"


def first_line(error: Exception) -> str:
    """What a library says of its failure, without the paragraphs that follow."""
    return str(error).strip().partition("\n")[0]


def looks_like_path(model: str) -> bool:
    """Whether a model name can only mean a folder (a hub name is `name` or `owner/name`)."""
    return model.startswith(("/", ".", "~")) or model.count("/") > 1 or Path(model).exists()


def check_model_path(model: str) -> None:
    """Raise `UserMistake` when `model` is a path that holds no model."""
    if not looks_like_path(model):
        return
    folder = Path(model)
    if not folder.is_dir():
        raise UserMistake(
            f"the model folder {model} does not exist; give a folder with config.json, "
            "or a name on the Hugging Face hub such as Qwen/QwQ-32B"
        )
    if not (folder / "config.json").is_file():
        raise UserMistake(f"the model folder {model} has no config.json, so it holds no model")


def read_json(model: str, revision: str | None, name: str) -> dict[str, Any] | None:
    """One of the model's JSON files; None when the model has no such file.

    Raises `UserMistake` when the model cannot be found or the file is no JSON object.
    """
    path = _path_of(model, revision, name)
    if path is None:
        return None
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserMistake(f"{name} of the model {model} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise UserMistake(f"{name} of the model {model} is not a JSON object")
    return body


def _path_of(model: str, revision: str | None, name: str) -> Path | None:
    if looks_like_path(model):
        path = Path(model) / name
        return path if path.is_file() else None
    cached = folder_of(model, revision)
    if cached is not None and (cached / name).is_file():
        return cached / name
    if not hub_answers():
        if cached is not None:
            return None
        raise UserMistake(
            f"the model {model!r} is not a folder here, and the Hugging Face hub does not respond; "
            f"{HUB_ADVICE}"
        )
    try:
        return Path(hf_hub_download(model, name, revision=revision))
    except EntryNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserMistake(
            f"the model {model!r} cannot be found ({first_line(error)}); {HUB_ADVICE}"
        ) from error


def hub_answers() -> bool:
    """Whether the hub can be reached, told in seconds: its own client tries for half a minute."""
    if constants.HF_HUB_OFFLINE:
        return False
    try:
        httpx.head(constants.ENDPOINT, timeout=HUB_SECONDS)
    except httpx.HTTPError:
        return False
    return True


def folder_of(model: str, revision: str | None) -> Path | None:
    """The local folder with the model's files; None when they are not on this machine."""
    if looks_like_path(model):
        return Path(model)
    try:
        return Path(snapshot_download(model, revision=revision, local_files_only=True))
    except (OSError, ValueError):
        return None
