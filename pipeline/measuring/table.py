"""The decoders by name, each a file of its own in `pipeline.measuring.decoders` and a line here."""

from pipeline.errors import UserMistake
from pipeline.measuring.config import Config
from pipeline.measuring.decoder import Decoder
from pipeline.registry import Registry

_FOLDER = "pipeline.measuring.decoders"
DECODERS = Registry(
    "decoders",
    Decoder,
    {
        "standard": f"{_FOLDER}.standard:STANDARD",
        "beam_search": f"{_FOLDER}.beam_search:BEAM_SEARCH",
        "batched": f"{_FOLDER}.batched:BATCHED",
        "nucleus_sampling": f"{_FOLDER}.nucleus_sampling:NUCLEUS_SAMPLING",
        "standard_speculative": f"{_FOLDER}.standard:SPECULATIVE",
        "beam_search_speculative": f"{_FOLDER}.beam_search:SPECULATIVE",
        "batched_speculative": f"{_FOLDER}.batched:SPECULATIVE",
        "nucleus_sampling_speculative": f"{_FOLDER}.nucleus_sampling:SPECULATIVE",
        "prompt_lookup": f"{_FOLDER}.prompt_lookup:PROMPT_LOOKUP",
        "early_exit": f"{_FOLDER}.early_exit:EARLY_EXIT",
        "continuous_batching": f"{_FOLDER}.continuous_batching:CONTINUOUS_BATCHING",
        "window": f"{_FOLDER}.window:WINDOW",
        "window_speculative": f"{_FOLDER}.window:SPECULATIVE",
        "refine": f"{_FOLDER}.refine:REFINE",
        "vllm": f"{_FOLDER}.vllm:VLLM",
        "vllm_speculative": f"{_FOLDER}.vllm:SPECULATIVE",
        # Its lookup loads numba, after which vLLM 0.32 does not start again in this process.
        "vllm_lookup": f"{_FOLDER}.vllm:LOOKUP",
    },
)
ALIASES = {"simple": "standard", "beam": "beam_search", "nucleus": "nucleus_sampling"}
"""Other names of the documents."""
OTHER_WORDS = {
    "greedy": "standard",
    "plain": "standard",
    "assisted": "standard_speculative",
    "assistant": "standard_speculative",
    "speculative": "standard_speculative",
    "draft": "standard_speculative",
    "sampling": "nucleus_sampling",
    "lookup": "prompt_lookup",
    "ngram": "prompt_lookup",
    "continuous": "continuous_batching",
    "paged": "continuous_batching",
    "early": "early_exit",
    "jacobi": "window",
}
"""What is said elsewhere, or for short, and which decoder is probably meant."""


def decoder_named(name: str) -> Decoder:
    """The decoder that a user asked for by name.

    Raises:
        UserMistake: there is none, or a plug-in has it that cannot be used.
    """
    return DECODERS.entry(ALIASES.get(name, name), OTHER_WORDS.get(name.lower()))


def decoders_named(names: str) -> tuple[str, ...]:
    """The names of decoders that a list with commas asks for, each once.

    Raises:
        UserMistake: it names none, or one that there is not, or that cannot be used.
    """
    given = [name.strip() for name in names.split(",") if name.strip()]
    if not given:
        raise UserMistake("--decoders names none; leave it out for those of the config.")
    return tuple(dict.fromkeys(decoder_named(name).name for name in given))


def methods_of(config: Config) -> tuple[str, ...]:
    """The names of the decoders that a config asks for, in order."""
    if config.methods_to_test is not None:
        return config.methods_to_test
    return tuple(
        name for name, one in DECODERS.items() if config.speculates or not one.needs_assistant
    )
