"""What a run would take, worked out without starting an engine."""

from dataclasses import dataclass

from pipeline.engines.facts import read_context
from pipeline.engines.settings import EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.models import with_model_folder
from pipeline.reasoners.opening import open_chain
from pipeline.run_directory import MANIFEST, read_attempts
from pipeline.runner import Plan


@dataclass(frozen=True, slots=True)
class Estimate:
    """Attempts asked for and already recorded; the target's tokens for those missing.

    `prompt_tokens` is None where the tokenizer is the server's own. `generated_at_most` is for
    one track: the budget, or less where the context is known to be shorter.
    """

    attempts: int
    recorded: int
    prompt_tokens: int | None
    generated_at_most: int


def estimate_of(plan: Plan) -> Estimate:
    """Count attempts and tokens.

    Raises:
        UserMistake: the target's tokenizer cannot be loaded.
    """
    settings = with_model_folder(plan.experiment.target)
    there = (plan.directory / MANIFEST).exists()
    asked = plan.asked
    recorded = {attempt.key for attempt in read_attempts(plan.directory)} if there else set()
    recorded = {key for key in recorded if key in asked}
    budget = plan.experiment.token_budget
    if settings.engine == "openai" and settings.tokenizer is None:
        missing = len(asked) - len(recorded)
        return Estimate(len(asked), len(recorded), None, missing * budget)
    tokenizer = HFTokenizer.of(settings)
    context = _context(settings)
    prompt_tokens = generated = 0
    for problem in plan.selected:
        missing = plan.experiment.repeats - sum(
            (problem.problem_id, repeat) in recorded for repeat in range(plan.experiment.repeats)
        )
        task = plan.prompts[problem.problem_id].text
        prompt = len(open_chain(tokenizer, task, plan.experiment.thinking))
        prompt_tokens += missing * prompt
        generated += missing * (
            budget if context is None else min(budget, max(0, context - prompt))
        )
    return Estimate(len(asked), len(recorded), prompt_tokens, generated)


def _context(settings: EngineSettings) -> int | None:
    if settings.max_model_len is not None:
        return settings.max_model_len
    return read_context(settings) if settings.engine in {"vllm", "transformers"} else None
