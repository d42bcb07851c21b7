"""What a run would take, worked out without starting an engine."""

from dataclasses import dataclass

from pipeline.engines.tokenizer import HFTokenizer
from pipeline.models import with_model_folder
from pipeline.reasoners.opening import open_chain
from pipeline.run_directory import MANIFEST, read_attempts
from pipeline.runner import Plan


@dataclass(frozen=True, slots=True)
class Estimate:
    """Attempts asked for and already recorded; tokens of those missing, for the target.

    `generated_at_most` is for one track: the budget, or less where the context is shorter.
    """

    attempts: int
    recorded: int
    prompt_tokens: int
    generated_at_most: int


def estimate_of(plan: Plan) -> Estimate:
    """Count attempts and prompt tokens.

    Raises:
        UserMistake: the target's tokenizer cannot be loaded.
    """
    settings = with_model_folder(plan.experiment.target)
    tokenizer = HFTokenizer.load(
        settings.tokenizer or settings.model,
        settings.revision,
        trust_remote_code=settings.trust_remote_code,
    )
    there = (plan.directory / MANIFEST).exists()
    recorded = {attempt.key for attempt in read_attempts(plan.directory)} if there else set()
    recorded &= set(plan.keys)
    prompt_tokens = generated = 0
    for problem in plan.selected:
        task = plan.prompt_of(problem).text
        prompt = len(open_chain(tokenizer, task, plan.experiment.thinking))
        room = max(0, settings.max_model_len - prompt) if settings.max_model_len else None
        budget = plan.experiment.token_budget
        missing = sum(
            (problem.problem_id, repeat) not in recorded
            for repeat in range(plan.experiment.repeats)
        )
        prompt_tokens += missing * prompt
        generated += missing * (budget if room is None else min(budget, room))
    return Estimate(len(plan.keys), len(recorded), prompt_tokens, generated)
