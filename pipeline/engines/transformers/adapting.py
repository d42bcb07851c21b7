"""A loaded model with the adapter that its settings name."""

from pathlib import Path
from typing import Any

from pipeline.decoding.adapter import AdapterError, attach, merge, summary
from pipeline.decoding.adapter_files import read_adapter
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake


def adapt(model: Any, settings: EngineSettings) -> None:
    """Give the model its adapter, if there is one, and tell the log which layers it changes.

    Raises:
        UserMistake: it cannot be read, has another rank than was said, or does not fit.
    """
    if settings.lora is None:
        return
    try:
        adapter = read_adapter(Path(settings.lora))
        if settings.lora_rank is not None:
            adapter.check_rank(settings.lora_rank)
        (merge if settings.merge_lora else attach)(model, adapter)
    except AdapterError as error:
        raise UserMistake(
            f"the adapter {settings.lora} cannot be used with {settings.model}: {error}"
        ) from error
    if settings.log is not None:
        with settings.log.open("a", encoding="utf-8") as log:
            log.write(f"adapter {settings.lora}: {summary(model, adapter)}\n")
