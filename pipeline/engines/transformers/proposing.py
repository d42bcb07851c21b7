"""Who guesses tokens for windows, and how blocks are refined, by the settings."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from pipeline.decoding.proposer import Proposer
from pipeline.decoding.proposers.assistant import Assistant
from pipeline.decoding.proposers.end_block import EndBlock
from pipeline.decoding.proposers.lookup import Lookup
from pipeline.decoding.proposers.recycled import Recycled
from pipeline.decoding.refining import Refining
from pipeline.engines.facts import read_context
from pipeline.engines.settings import BRANCHES, REFINE, EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.declaration import APPENDED, ROUNDS
from pipeline.engines.transformers.loading import load_model, rows_for
from pipeline.engines.transformers.stepper import Stepper
from pipeline.errors import UserMistake

ASSISTANT = "assistant"


def check_decoding(settings: EngineSettings) -> None:
    """Raise `UserMistake` for settings of windows and of refining that do not go together."""
    given: dict[str, dict[str, object]] = {
        "window": {
            "--proposer": settings.proposer,
            "--window": settings.window,
            "--assistant-model": settings.assistant_model,
        },
        REFINE: {
            "--append-eos": settings.append_eos,
            "--refine-rounds": settings.refine_rounds,
        },
    }
    for decoding, values in given.items():
        idle = [name for name, value in values.items() if value is not None]
        if settings.decoding != decoding and idle:
            raise UserMistake(
                f"{' and '.join(idle)} {'have' if len(idle) > 1 else 'has'} no effect with "
                f"--decoding {settings.decoding}; choose --decoding {decoding}"
            )
    if settings.decoding == BRANCHES and settings.max_num_seqs is not None:
        raise UserMistake(
            "--max-num-seqs has no effect with --decoding branches: a group is one sequence; drop "
            "it"
        )
    if settings.gather is not None and (
        settings.decoding == BRANCHES or (settings.max_num_seqs or 1) == 1
    ):
        raise UserMistake(
            "--gather branches has no effect with --decoding branches, nor without --max-num-seqs "
            "of 2 or more: it is about requests that are computed together"
        )
    if settings.proposer == ASSISTANT and settings.assistant_model is None:
        raise UserMistake(
            "--proposer assistant needs --assistant-model, a small model with the same tokenizer"
        )
    if settings.proposer not in {None, ASSISTANT} and settings.assistant_model is not None:
        raise UserMistake(
            f"--assistant-model has no effect with --proposer {settings.proposer}; drop one of them"
        )


def proposers(settings: EngineSettings, stepper: Stepper) -> Callable[[], Proposer]:
    """What makes a proposer for new rows: the assistant where there is one, else lookup.

    Raises:
        UserMistake: the assistant cannot be loaded, or has another tokenizer.
    """
    own = assistant_of(settings)
    if own is not None:
        return _assistants(settings, own, stepper)
    end_id = min(stepper.tokenizer.eos_ids, default=0)
    known: dict[str | None, Callable[[], Proposer]] = {
        None: Lookup,
        "lookup": Lookup,
        "end-block": partial(EndBlock, end_id),
        "recycled": partial(Recycled, end_id),
    }
    return known[settings.proposer]


def refining(settings: EngineSettings, stepper: Stepper) -> Callable[[], Refining]:
    """What refines new rows."""
    appended, rounds = settings.append_eos, settings.refine_rounds
    return partial(
        Refining,
        APPENDED if appended is None else appended,
        ROUNDS if rounds is None else rounds,
        min(stepper.tokenizer.eos_ids, default=0),
    )


def assistant_of(settings: EngineSettings) -> EngineSettings | None:
    """How the assistant is loaded: as the model, but for its name; None where there is none."""
    if settings.assistant_model is None:
        return None
    return replace(
        settings,
        model=settings.assistant_model,
        revision=None,
        tokenizer=None,
        max_model_len=None,
        assistant_model=None,
        lora=None,
        lora_rank=None,
        merge_lora=False,
    )


def _assistants(
    settings: EngineSettings, own: EngineSettings, stepper: Stepper
) -> Callable[[], Proposer]:
    name = own.model
    shorter, longer = read_context(own), read_context(settings)
    if HFTokenizer.of(own).fingerprint != stepper.tokenizer.fingerprint:
        raise UserMistake(
            f"the assistant {name!r} has another tokenizer than the model {settings.model!r}, so "
            "its tokens mean other texts; choose a smaller model of the same family"
        )
    if shorter is not None and (longer is None or shorter < longer):
        raise UserMistake(
            f"the assistant {name!r} has a context of {shorter} tokens, shorter than the model's; "
            f"give --max-model-len {shorter}, or another assistant"
        )
    model = load_model(own)
    new_rows = rows_for(model, own)
    vocabulary: int = stepper.model.get_output_embeddings().weight.shape[0]

    def make() -> Proposer:
        return Assistant(model, new_rows(), vocabulary)

    return make
