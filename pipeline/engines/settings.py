"""How one model is served: the frozen settings an engine is built from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.declared_option import Value
from pipeline.engines.branching import Branching
from pipeline.engines.sampling import Sampling

ProcessMode = Literal["auto", "inprocess", "subprocess"]
SERVER_SECONDS = 600.0
PLAIN = "plain"
"""In `decoding`: token by token."""
REFINE = "refine"
"""In `decoding`: by blocks that are kept after some rounds, whether the model wrote them or not."""
BRANCHES = "branches"
"""In `decoding`: several prompts as branches of one sequence."""
CPU = "cpu"
"""In `devices`: no GPU, though there be one."""
LOCAL_SECONDS = 3600.0
"""Longer, as a slow machine may be answering many long requests at once."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """One model and how it is served.

    `model` is a path, a hub name, or the name the server knows; `tokenizer` overrides where the
    tokenizer comes from. `dtype` `auto` means float32 on a CPU, the checkpoint's own on a GPU.
    `gpu_memory_utilization` is this engine's share of the whole device memory (on a CPU the
    KV cache has `cpu_kv_cache_gib` instead). `devices` is a CUDA_VISIBLE_DEVICES list, or
    `cpu` (transformers).
    `lora` is an adapter: a folder as PEFT writes it, or (transformers) ParallelMind's `.pth`;
    `lora_rank` the rank that it must have, None for any; with `merge_lora` its weights are added to
    the model's (transformers). `process` says where vLLM runs: `auto` is `inprocess` on a CPU
    (starts in seconds) and `subprocess` on a GPU. `request_timeout` is how many seconds a request
    may take, None the engine's own; `step_timeout` how many a step of an engine in this process,
    None for `step_watch.STEP_SECONDS`; `busy_timeout` how many a server may say that it is busy, of
    which `on_wait` is told (openai). `on_change` is told with its name whether a replica is there,
    whenever that changes (openai, ray).
    `tensor_parallel_size` GPUs hold the model together, and there are `data_parallel_size` copies
    of it (vllm).
    `max_num_seqs` is how many requests are computed together at most, None the engine's own number.
    `speculative` is vLLM's own token-level speculative_config as JSON text.
    `decoding` is `plain`, `window`, `refine` or `branches` (transformers); `proposer`, `window` and
    `assistant_model` say who guesses the tokens of windows, how many tokens a window has at most,
    and with which model; `append_eos` and `refine_rounds` how many tokens are appended to refine,
    and how often.
    `branching` says how branches lie, None by its defaults. With `gather` `branches` requests in
    flight that begin alike are branches of one row (transformers).
    With `reread_prompts` every prompt is read from its beginning, though others began alike.
    `chat_template_kwargs` is a JSON object for the model's chat template, `reasoning_effort` a
    level that the template or the server knows, and `extra_body` a JSON object of further fields
    for every request to a server (openai).
    `script` is the scripted engine's table. `log` is where the engine's own output goes.
    `own` are values of options that the engine's entry declares and that have no field here.
    `sampling` is what its requests will ask for: an engine that cannot do it refuses to start.
    """

    engine: str
    model: str
    revision: str | None = None
    tokenizer: str | None = None
    dtype: str = "auto"
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    tensor_parallel_size: int = 1
    data_parallel_size: int = 1
    gpu_memory_utilization: float = 0.70
    cpu_kv_cache_gib: int = 1
    devices: str | None = None
    quantization: str | None = None
    lora: str | None = None
    lora_rank: int | None = None
    merge_lora: bool = False
    speculative: str | None = None
    decoding: str = PLAIN
    proposer: str | None = None
    window: int | None = None
    assistant_model: str | None = None
    append_eos: int | None = None
    refine_rounds: int | None = None
    branching: Branching | None = None
    gather: str | None = None
    trust_remote_code: bool = False
    reread_prompts: bool = False
    process: ProcessMode = "auto"
    base_url: str | None = None
    request_timeout: float | None = None
    step_timeout: float | None = None
    busy_timeout: float = 600.0
    chat_template_kwargs: str | None = None
    reasoning_effort: str | None = None
    extra_body: str | None = None
    script: Path | None = None
    log: Path | None = None
    own: Mapping[str, Value] = field(default_factory=dict)
    sampling: Sampling = field(default=Sampling(), compare=False)
    on_wait: Callable[[float], None] | None = field(default=None, compare=False)
    on_change: Callable[[str, bool], None] | None = field(default=None, compare=False)

    @property
    def is_lossy(self) -> bool:
        """Whether its way of decoding may write another text than the model's own."""
        branched = self.branching is not None and self.branching.is_lossy
        return self.decoding == REFINE or (self.decoding == BRANCHES and branched)

    def seconds_allowed(self, default: float = LOCAL_SECONDS) -> float:
        """How long one request may take before it is given up."""
        return default if self.request_timeout is None else self.request_timeout
