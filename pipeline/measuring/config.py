"""The settings of a measurement."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.sampling import Sampling
from pipeline.engines.settings import EngineSettings
from pipeline.generating.prompts import Prompt

SDPA, FLASH = "sdpa", "flash_attention_2"
CACHES = ("dynamic", "static", "offloaded", "offloaded_static", "quantized")
ATTENTION = (SDPA, "eager", FLASH, "flash_attention_3", "flex_attention")
DTYPES = ("auto", "float32", "bfloat16", "float16")
GPU = "cuda:"


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
