"""Loading a model's weights onto the device that was asked for."""

import math
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar, enable_progress_bar

from pipeline.decoding.captured import Captured
from pipeline.decoding.gathering import GatheredRows
from pipeline.decoding.reading import can_be_a_row
from pipeline.decoding.recording import Recorded
from pipeline.decoding.rows import ManyRows, OneRow, Rows
from pipeline.decoding.trials import MOST_DISTURBED, disturbance, forgetting, most_rounded
from pipeline.engines.declaration import TRANSFORMERS_SEQUENCES
from pipeline.engines.launch import START_LOCK, output_to
from pipeline.engines.model_files import HUB_ADVICE, first_line
from pipeline.engines.protocol import ModelFacts
from pipeline.engines.settings import CPU, PLAIN, EngineSettings
from pipeline.engines.transformers.adapting import adapt
from pipeline.errors import UserMistake

ONE_THREAD_BELOW = 50_000_000
"""Below this many weights a second CPU thread costs more in waiting than it computes."""
_ONE_ROW = (
    "the model {name!r} does not give requests of one forward the logits that they have alone "
    "({why}), so it answers one at a time; drop {asked}"
)

_NOT_CONTINUED = (
    "the model {name!r} does not continue a text from the keys and values of what it has read "
    "({why}), as all do that this engine can run; use another engine"
)


def load_model(settings: EngineSettings) -> Any:
    """The model with its adapter, ready to answer.

    Raises:
        UserMistake: either cannot be loaded or placed.
    """
    with START_LOCK, output_to(settings.log):
        disable_progress_bar()
        try:
            model = _loaded(settings, device_of(settings)).eval()
            adapt(model, settings)
        finally:
            enable_progress_bar()
    return model


def rows_for(model: Any, settings: EngineSettings) -> Callable[[], Rows]:
    """What makes a place for the requests that the model is to answer together.

    Raises:
        UserMistake: it cannot answer so many, or not by the decoding that is asked for.
    """
    most = settings.max_num_seqs or TRANSFORMERS_SEQUENCES
    check_continues(model, settings.model)
    if most > 1 or settings.decoding != PLAIN:
        check_keeps_tokens(model, settings.model)
    if most > 1:
        check_rows(model, settings.model)
    if can_be_a_row(model):
        faster, fast_rows = _fast_rows(model, settings)
        # A row alone must have the logits that it always had, and there is nothing else to gain.
        if most > 1 or (faster and disturbance(model) <= most_rounded(model.dtype)):
            return fast_rows
    return partial(OneRow, model)


def _fast_rows(model: Any, settings: EngineSettings) -> tuple[bool, Callable[[], Rows]]:
    """What makes rows whose forwards are launched as fast as can be; and whether that is faster."""
    if model.device.type == "cuda":
        if settings.gather:
            return False, partial(GatheredRows, model)
        return True, partial(ManyRows, model, Captured(model), alike=True)
    with START_LOCK, output_to(settings.log):
        compute = Recorded(model)
    return compute.is_replayed, partial(
        GatheredRows if settings.gather else ManyRows, model, compute
    )


def settle_threads(settings: EngineSettings, facts: ModelFacts) -> None:
    """One thread for a small model on a CPU, unless the user says how many."""
    small = facts.parameters is not None and facts.parameters < ONE_THREAD_BELOW
    if device_of(settings) == CPU and small and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)


def check_keeps_tokens(model: Any, name: str) -> None:
    """Raise `UserMistake` for a model whose sequences cannot be cut and put together again."""
    if not can_be_a_row(model):
        raise UserMistake(
            f"the layers of the model {name!r} do not keep every token (sliding windows, or a "
            "state in place of attention), so it answers one request at a time, token by token; "
            "drop --max-num-seqs and --decoding"
        )


def check_rows(model: Any, name: str, asked: str = "--max-num-seqs") -> None:
    """Raise `UserMistake` for a model that does not keep texts of one forward apart."""
    try:
        disturbed = disturbance(model)
    # What a model's code says to arguments that it does not expect is up to each.
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise UserMistake(_ONE_ROW.format(name=name, asked=asked, why=first_line(error))) from error
    # Also where it is not a number.
    if not disturbed <= MOST_DISTURBED:
        raise UserMistake(
            _ONE_ROW.format(name=name, asked=asked, why=f"they differ by {disturbed:.0%}")
        )


def check_continues(model: Any, name: str) -> None:
    """Raise `UserMistake` for a model that does not go on from what it has read before."""
    try:
        changed = forgetting(model)
    # What a model's code says to arguments that it does not expect is up to each.
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise UserMistake(_NOT_CONTINUED.format(name=name, why=first_line(error))) from error
    if math.isnan(changed.spread):
        raise UserMistake(
            f"the model {name!r} writes logits that are not numbers; its weights, or those of its "
            "adapter, are damaged or too large for their type"
        )
    if not changed.is_rounding(model.dtype):
        why = f"read in pieces, a text gives logits that differ by {changed.spread:.1%}"
        raise UserMistake(_NOT_CONTINUED.format(name=name, why=why))


def _loaded(settings: EngineSettings, device: str) -> Any:
    default = "float32" if device == CPU else "auto"
    try:
        model = AutoModelForCausalLM.from_pretrained(
            settings.model,
            revision=settings.revision,
            dtype=default if settings.dtype == "auto" else settings.dtype,
            trust_remote_code=settings.trust_remote_code,
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise UserMistake(
            f"the model {settings.model!r} cannot be loaded ({first_line(error)}); {HUB_ADVICE}"
        ) from error
    try:
        return model.to(device)
    # torch reports a full device as RuntimeError, and a build without CUDA as AssertionError.
    except (RuntimeError, AssertionError) as error:
        raise UserMistake(
            f"the model {settings.model!r} cannot be moved to {device} ({first_line(error)}); "
            "choose another device, a smaller model or a smaller type of its weights"
        ) from error


def device_of(settings: EngineSettings) -> str:
    """The first device asked for, the first GPU, or the CPU."""
    if settings.devices == CPU:
        return CPU
    if settings.devices is not None:
        return f"cuda:{settings.devices.split(',')[0]}"
    return "cuda:0" if torch.cuda.is_available() else CPU
