"""Adapters for vLLM, which loads PEFT's folders: a `.pth` becomes one. Import when torch may be."""

from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from pipeline.decoding.adapter import AdapterError, check_fits
from pipeline.decoding.adapter_files import read_adapter, write_peft
from pipeline.engines.model_files import first_line
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake


def write_folder(settings: EngineSettings, folder: Path) -> None:
    """Write the adapter of the settings, a `.pth`, as a folder of PEFT.

    Raises:
        UserMistake: it cannot be read, or does not fit the model, of which vLLM would say nothing.
    """
    try:
        adapter = read_adapter(Path(str(settings.lora)))
        with torch.device("meta"):
            check_fits(_without_weights(settings), adapter)
        write_peft(adapter, folder)
    except (AdapterError, OSError) as error:
        raise UserMistake(
            f"the adapter {settings.lora} cannot be used with {settings.model}: {first_line(error)}"
        ) from error


def _without_weights(settings: EngineSettings) -> torch.nn.Module:
    config = AutoConfig.from_pretrained(
        settings.model, revision=settings.revision, trust_remote_code=settings.trust_remote_code
    )
    model: torch.nn.Module = AutoModelForCausalLM.from_config(
        config, trust_remote_code=settings.trust_remote_code
    )
    return model
