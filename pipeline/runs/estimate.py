"""What a run would take, estimated without starting an engine."""

from dataclasses import dataclass

from pipeline.engines import entry
from pipeline.engines.bundled_models import with_model_folder
from pipeline.experiment import Experiment
from pipeline.problems.problem_set import Problem
from pipeline.reasoners import settled
from pipeline.reasoners.opening import open_chain
from pipeline.runs.planning import Plan


@dataclass(frozen=True, slots=True)
class Estimate:
    """Attempts asked for, recorded, and recorded ones to be made again; tokens of all to be made.

    `prompt_tokens` opens each track once for the target: exactly where `prompts_are_known`, at most
    where methods are still to be chosen; None where the tokenizer is the server's own.
    `generated_at_most` is what all tracks may have: of speculative ones in their accepted steps,
    of others in all. It is the budget, or less where the context is known to be shorter.
    """

    attempts: int
    recorded: int
    again: int
    prompt_tokens: int | None
    prompts_are_known: bool
    generated_at_most: int


def estimate_of(plan: Plan, *, retry_errors: bool = False, force: bool = False) -> Estimate:
    """Count attempts and tokens.

    Raises:
        UserMistake: the target's tokenizer or script cannot be loaded, or the run directory is one
            that the run would refuse.
    """
    experiment, asked = plan.experiment, plan.asked
    settings = with_model_folder(experiment.target)
    there = plan.recorded()
    kept = plan.kept(there, retry_errors=retry_errors, force=force)
    recorded = sum(key in there for key in asked)
    again = recorded - sum(key in kept for key in asked)
    opened = _openings(plan, plan.selected[0])
    known = all(len(texts) == 1 for texts in opened)
    engine = entry(settings.engine)
    tokenizer = engine.read_tokenizer(settings)
    if tokenizer is None:
        most = (len(asked) - recorded + again) * len(opened) * experiment.token_budget
        return Estimate(len(asked), recorded, again, None, known, most)
    # Accepted steps are counted in their author's tokens; the target's context bounds its own.
    context = None if budget_is_of_steps(experiment) else engine.read_context(settings)
    prompt_tokens = generated = 0
    for problem in plan.selected:
        name = problem.problem_id
        missing = sum((name, repeat) not in kept for repeat in asked.repeats_of(name))
        for texts in _openings(plan, problem) if missing else ():
            opening = experiment.opening("target")
            lengths = [len(open_chain(tokenizer, text, *opening)) for text in texts]
            room = experiment.token_budget if context is None else context - min(lengths)
            prompt_tokens += missing * max(lengths)
            generated += missing * min(experiment.token_budget, max(0, room))
    return Estimate(len(asked), recorded, again, prompt_tokens, known, generated)


def budget_is_of_steps(experiment: Experiment) -> bool:
    """Whether the token budget bounds accepted steps only."""
    return any(section.drops for section, _ in settled(experiment))


def tracks_of(plan: Plan) -> int:
    """How many tracks an attempt has."""
    return len(_openings(plan, plan.selected[0]))


def _openings(plan: Plan, problem: Problem) -> list[list[str]]:
    """Of each track the task prompts that it may have: one, or any method's."""
    task = plan.prompts[problem.problem_id].text
    for section, settings in settled(plan.experiment):
        opened = section.openings(settings, plan.prompt_set, problem, task)
        if opened is not None:
            return opened
    return [[task]]
