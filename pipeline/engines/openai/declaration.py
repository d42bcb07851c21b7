"""What the engine of OpenAI-compatible servers declares of itself."""

from pipeline.engines.declaration import EngineEntry, EngineOption
from pipeline.engines.protocol import Ability
from pipeline.engines.sampling import FURTHER

OPENAI = EngineEntry(
    name="openai",
    path="pipeline.engines.openai.replicas:ServedModel",
    honours=frozenset(
        {
            "revision",
            "tokenizer",
            "max_model_len",
            "trust_remote_code",
            "chat_template_kwargs",
            "reasoning_effort",
        }
    ),
    options=(
        EngineOption(
            name="base_url",
            type=str,
            help="Address of an OpenAI-compatible server; repeated: replicas of one model.",
            repeatable=True,
        ),
        EngineOption(
            name="busy_timeout",
            type=float,
            help="Seconds to wait for a server that is busy.",
            default=600.0,
            least=0,
        ),
        EngineOption(
            name="extra_body",
            type=str,
            help="JSON object of further fields of every request.",
        ),
    ),
    requires={"base_url": "for example http://127.0.0.1:8000/v1"},
    opens_files=False,
    tokenizer="pipeline.engines.openai.engine:named_tokenizer",
    context=None,
    check="pipeline.engines.openai.server:check_address",
    remedies={
        Ability.TOKEN_PROMPTS: "name the tokenizer of its model with --tokenizer",
        Ability.DIGIT_LOGPROBS: "its server does not tell the log-probabilities of the tokens that "
        "it is asked for (logprob_token_ids): serve its model with vLLM, alone or in Ray Serve LLM",
        Ability.STOP_STRING: "its server takes the stop string out of its answers and does not "
        "name it, so that the end of a step looks like the end of the text: serve its model with "
        "vLLM, or with a server that names it or honours include_stop_str_in_output",
    },
    samples=FURTHER,
)
