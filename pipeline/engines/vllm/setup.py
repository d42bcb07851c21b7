"""How vLLM is configured: its environment, its log, and its engine arguments."""

import importlib
import os
from multiprocessing import active_children
from pathlib import Path
from typing import Any

from pipeline.engines.declaration import VLLM_SEQUENCES
from pipeline.engines.launch import unless_set
from pipeline.engines.model_files import looks_like_path, read_json
from pipeline.engines.protocol import ModelFacts
from pipeline.engines.settings import EngineSettings
from pipeline.engines.vllm.speculation import speculative_config
from pipeline.errors import UserMistake

GIB = 2**30
# vLLM's CPU attention takes blocks of 32, 64, 128 tokens; the smallest recomputes least when a
# prompt grows step by step.
CPU_BLOCK_TOKENS = 32
# A step of prefill takes whole prompts, as many as fit here, so small models are not starved.
CPU_BATCHED_TOKENS = 4096
LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
ENGINE_PROCESS_NAME = "EngineCore"


def logging_config(log: Path) -> dict[str, Any]:
    """A `logging.config` dictionary that appends vLLM's own log to a file."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "engine": {"format": "%(levelname)s %(asctime)s %(process)d %(name)s: %(message)s"}
        },
        "handlers": {
            "engine": {
                "class": "logging.FileHandler",
                "formatter": "engine",
                "filename": str(log.absolute()),
                "encoding": "utf-8",
            }
        },
        "loggers": {"vllm": {"handlers": ["engine"], "level": "INFO", "propagate": False}},
    }


def base_environment(settings: EngineSettings, logging_path: Path | None) -> dict[str, str]:
    """What must be set before vLLM is imported; what the user has set stays."""
    wanted = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        # Two OpenMP threads on two contended cores spin: throughput falls 10 to 60 times.
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        # A forked process would be a copy of this one, with its threads' locks and without a mark.
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    }
    if logging_path is None:
        wanted["VLLM_LOGGING_LEVEL"] = "ERROR"
    else:
        wanted["VLLM_LOGGING_CONFIG_PATH"] = str(logging_path)
    if looks_like_path(settings.model):
        wanted["HF_HUB_OFFLINE"] = "1"
    return unless_set(wanted)


def mode_environment(settings: EngineSettings, *, inprocess: bool, on_cpu: bool) -> dict[str, str]:
    """What must be set while the engine is made and its processes are spawned."""
    values = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0" if inprocess else "1"}
    if settings.devices is not None:
        values["CUDA_VISIBLE_DEVICES"] = settings.devices
    if on_cpu:
        # vLLM's sampler compiles a small kernel at the first digit log-probabilities: up to 16 s
        # in the middle of a run, and the end of the engine where there is no C++ compiler.
        values |= unless_set({"TORCH_COMPILE_DISABLE": "1"})
    if on_cpu and not inprocess and settings.tensor_parallel_size == 1:
        cores = _own_cores(settings.data_parallel_size)
        values |= unless_set({"VLLM_CPU_OMP_THREADS_BIND": cores})
    return values


def refuse_too_few_devices(settings: EngineSettings, available: int, what: str) -> None:
    """Raise `UserMistake` where all copies of the model together need more devices."""
    tensor, data = settings.tensor_parallel_size, settings.data_parallel_size
    if data > 1 and tensor * data > available:
        raise UserMistake(
            f"{data} copies of the model (--data-parallel-size) on {tensor} {what} each "
            f"(--tensor-parallel-size) need {tensor * data}, and there are {available}; lower one "
            "of the two"
        )


def compile_nothing() -> None:
    """TORCH_COMPILE_DISABLE for this process, where torch may have been imported already."""
    dynamo = importlib.import_module("torch._dynamo")
    if "TORCH_COMPILE_DISABLE" not in os.environ:
        dynamo.config.disable = True


def _own_cores(processes: int) -> str:
    """The cores for more engine processes: by default each binds to the same first core."""
    cores = sorted(os.sched_getaffinity(0))
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    engines = sum(child.name.startswith(ENGINE_PROCESS_NAME) for child in active_children())
    firsts = [(number * threads) % len(cores) for number in range(engines, engines + processes)]
    return "|".join(",".join(map(str, cores[one : one + threads])) for one in firsts)


def engine_arguments(
    settings: EngineSettings, facts: ModelFacts, *, on_cpu: bool
) -> dict[str, Any]:
    """The keyword arguments of vLLM's EngineArgs for these settings.

    Raises `UserMistake` for a speculative configuration that is no JSON object.
    """
    arguments: dict[str, Any] = {
        "model": settings.model,
        "tokenizer": settings.tokenizer or settings.model,
        "revision": settings.revision,
        "dtype": settings.dtype,
        "max_model_len": settings.max_model_len,
        "max_num_seqs": settings.max_num_seqs or VLLM_SEQUENCES,
        "tensor_parallel_size": settings.tensor_parallel_size,
        "data_parallel_size": settings.data_parallel_size,
        "quantization": settings.quantization,
        "trust_remote_code": settings.trust_remote_code,
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
    }
    if settings.tokenizer is None:
        arguments["tokenizer_revision"] = settings.revision
    if on_cpu:
        arguments |= _cpu_arguments(settings, facts)
    else:
        arguments["gpu_memory_utilization"] = settings.gpu_memory_utilization
    if settings.reread_prompts:
        arguments["enable_prefix_caching"] = False
    if settings.lora is not None:
        arguments |= {
            "enable_lora": True,
            "max_loras": 1,
            "max_lora_rank": lora_rank(settings.lora, settings.lora_rank),
        }
    guessing = speculative_config(settings)
    if guessing is not None:
        arguments["speculative_config"] = guessing
    return arguments


def _cpu_arguments(settings: EngineSettings, facts: ModelFacts) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "dtype": "float32" if settings.dtype == "auto" else settings.dtype,
        "enforce_eager": True,
        # A request with a seed whose prefill is split kills vLLM's CPU engine.
        "enable_chunked_prefill": False,
        "block_size": CPU_BLOCK_TOKENS,
        "max_num_batched_tokens": max(CPU_BATCHED_TOKENS, facts.context or 0),
    }
    if "VLLM_CPU_KVCACHE_SPACE" not in os.environ:
        arguments["kv_cache_memory_bytes"] = settings.cpu_kv_cache_gib * GIB
    return arguments


def advice_on(reason: str) -> str:
    """What to do about a failed start whose reason does not say so itself; else nothing."""
    if "torchvision::" in reason:
        return (
            " (pip installs the CUDA build of torchvision beside the CPU build of torch; "
            "run `pip uninstall torchvision torchaudio torchcodec`: vLLM does not need them here)"
        )
    return ""


def lora_rank(folder: str, wanted: int | None = None) -> int:
    """The smallest rank vLLM knows that holds this adapter.

    Raises:
        UserMistake: it is no adapter, or has another rank than is wanted.
    """
    config = read_json(folder, None, "adapter_config.json") if Path(folder).is_dir() else None
    rank = (config or {}).get("r")
    fitting = [known for known in LORA_RANKS if isinstance(rank, int) and known >= rank]
    if not fitting:
        raise UserMistake(
            f"{folder} is not a LoRA adapter that vLLM can load: it needs an adapter_config.json "
            f"with a rank r of at most {LORA_RANKS[-1]}"
        )
    if wanted not in {None, rank}:
        raise UserMistake(f"the adapter {folder} has rank {rank}, and --lora-rank is {wanted}")
    return fitting[0]
