"""What a measurement asks for: every completion of its prompts or problems, as token ids."""

from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.engines import entry
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.facts import read_facts
from pipeline.engines.protocol import ModelFacts, Tokenizer
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.measuring.ask import Ask
from pipeline.measuring.config import Config
from pipeline.measuring.decoder import Decoder
from pipeline.reasoners.opening import open_chain
from pipeline.reasoners.whole_chain import request_for
from pipeline.runs.planning import Plan, plan
from pipeline.seeds import request_seed

TRACK = "0"
"""The one track of the reasoner `baseline`, whose attempts the runs hold."""


@dataclass(frozen=True, slots=True)
class Asked:
    """All completions, and the config with what only the model's files say.

    `problems` is the plan of a run on the problems, where there are problems.
    """

    config: Config
    asks: tuple[Ask, ...]
    tokenizer: Tokenizer
    facts: ModelFacts
    problems: Plan | None


def all_asked(config: Config) -> Asked:
    """Read the model's tokenizer and facts and encode every prompt; no model is loaded.

    Raises:
        UserMistake: the model or the problems are not there, or a prompt leaves no room.
    """
    _check_device(config)
    settings = with_model_folder(config.engine("transformers"))
    tokenizer, facts = HFTokenizer.of(settings), read_facts(settings)
    if config.assistant_model is not None and config.speculates:
        assistant = with_model_folder(replace(settings, model=config.assistant_model))
        facts = replace(facts, assistant=read_facts(assistant))
        if HFTokenizer.of(assistant).fingerprint != tokenizer.fingerprint:
            raise UserMistake(
                f"{config.assistant_model} has another tokenizer than {config.main_model}; an "
                "assistant must have the same."
            )
    if config.early_exit_layer is None and facts.layers is not None:
        config = replace(config, early_exit_layer=max(1, facts.layers // 2))
    if config.prompts:
        asks, problems = _of_prompts(config, tokenizer, facts.context), None
    else:
        problems = plan(experiment_of(config), Path())
        asks = _of_problems(problems, tokenizer, facts.context)
    return Asked(config, asks, tokenizer, facts, problems)


def _check_device(config: Config) -> None:
    if not config.device.startswith("cuda"):
        return
    number = int(config.device.partition(":")[2] or 0)
    import torch  # noqa: PLC0415 - to be asked only for what it has

    count = torch.cuda.device_count()
    if number >= count:
        raise UserMistake(
            f"device is {config.device}, and torch {torch.__version__} finds "
            f"{count or 'no'} GPU{'' if count == 1 else 's'}; say auto or cpu, or another number."
        )


def experiment_of(config: Config, decoder: Decoder | None = None) -> Experiment:
    """The experiment whose attempts a decoder's completions of problems are."""
    if not isinstance(config.num_completions, int):
        raise UserMistake("num_completions is one number where problems are asked.")
    sampling = config.sampling if decoder is None else decoder.sampling(config)
    target = config.engine("transformers")
    if decoder is not None and decoder.serves is not None:
        target = decoder.serves(config)
    honoured = {name: getattr(sampling, name) for name in ("temperature", "top_p", "top_k")}
    entry(target.engine).check_sampling(sampling, "target")
    return Experiment(
        "baseline",
        target,
        dataset=config.dataset,
        data_file=config.data_file,
        problem_range=config.problem_id,
        repeats=config.num_completions,
        seed=config.seed,
        token_budget=config.max_new_tokens,
        concurrency=1,
        **honoured,
    )


def facts_of(asked: Asked, decoder: Decoder, dtype: str | None) -> ModelFacts:
    """The facts of the models that a decoder used, the first layers of an early exit as a model."""
    facts, layer = asked.facts, asked.config.early_exit_layer
    assistant = facts.assistant if decoder.needs_assistant else None
    if decoder.guesses == "early_exit" and layer is not None and facts.layers:
        body = facts.body_parameters
        assistant = replace(
            facts,
            model=f"{facts.model}, first {layer} layers",
            parameters=None,
            body_parameters=None if body is None else body * layer // facts.layers,
            layers=layer,
            assistant=None,
        )
    return replace(facts, dtype=dtype, assistant=assistant)


def _of_prompts(config: Config, tokenizer: Tokenizer, context: int | None) -> tuple[Ask, ...]:
    asks = []
    for place, prompt in enumerate(config.prompts):
        ids = tokenizer.encode(prompt.text_for(tokenizer, as_chat=config.use_chat_template))
        room = _room(prompt.prompt_id, len(ids), context, config.max_new_tokens)
        asks += [
            Ask(
                prompt.prompt_id,
                number,
                tuple(ids),
                request_seed(config.seed, "measure", prompt.prompt_id, number, TRACK, 0, "plain"),
                room,
            )
            for number in range(config.completions_of(place))
        ]
    return tuple(asks)


def _of_problems(problems: Plan, tokenizer: Tokenizer, context: int | None) -> tuple[Ask, ...]:
    experiment, asks = problems.experiment, []
    for problem in problems.selected:
        text = problems.prompts[problem.problem_id].text
        ids = open_chain(tokenizer, text, *experiment.opening("target"))
        _room(problem.problem_id, len(ids), context, 1)
        for repeat_id in range(experiment.repeats):
            asked, _ = request_for(experiment, (problem, repeat_id), TRACK, len(ids), context)
            asks.append(
                Ask(problem.problem_id, repeat_id, tuple(ids), asked.seed, asked.max_tokens)
            )
    return tuple(asks)


def _room(prompt_id: str, prompt_tokens: int, context: int | None, most: int) -> int:
    if prompt_tokens == 0:
        raise UserMistake(f"The prompt {prompt_id!r} has no token; a model continues at least one.")
    if context is None:
        return most
    if prompt_tokens >= context:
        raise UserMistake(
            f"The prompt {prompt_id!r} has {prompt_tokens} tokens and the model's context "
            f"{context}: no room is left for an answer; shorten it or leave it out."
        )
    return min(most, context - prompt_tokens)
