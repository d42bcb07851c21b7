"""Who guesses tokens for windows, and how blocks are refined, by the settings."""

from collections.abc import Callable
from functools import partial

from pipeline.decoding.prefix_blocks import PrefixBlocks
from pipeline.decoding.proposer import Proposer
from pipeline.decoding.proposers.assistant import Assistant
from pipeline.decoding.proposers.end_block import EndBlock
from pipeline.decoding.proposers.lookup import Lookup
from pipeline.decoding.proposers.recycled import Recycled
from pipeline.decoding.refining import Refining
from pipeline.engines.guessing import (
    assistant_of,
    check_assistant,
    check_effect,
    check_windows,
)
from pipeline.engines.settings import BRANCHES, REFINE, EngineSettings
from pipeline.engines.transformers.declaration import APPENDED, ROUNDS
from pipeline.engines.transformers.loading import load_model, rows_for
from pipeline.engines.transformers.stepper import Stepper
from pipeline.errors import UserMistake


def check_decoding(settings: EngineSettings) -> None:
    """Raise `UserMistake` for settings of windows and of refining that do not go together."""
    check_windows(settings)
    refined = {"--append-eos": settings.append_eos, "--refine-rounds": settings.refine_rounds}
    check_effect(settings, REFINE, refined)
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


def _assistants(
    settings: EngineSettings, own: EngineSettings, stepper: Stepper
) -> Callable[[], Proposer]:
    check_assistant(own, settings)
    model = load_model(own)
    new_rows = rows_for(model, own)
    blocks = stepper.helper_blocks = PrefixBlocks.on(model.device)
    vocabulary: int = stepper.model.get_output_embeddings().weight.shape[0]

    def make() -> Proposer:
        return Assistant(model, new_rows(), vocabulary, blocks)

    return make
