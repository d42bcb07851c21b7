"""The target alone: a whole chain of reasoning, in one completion unless thinking is limited."""

from typing import NamedTuple

from pipeline.engines.protocol import Ability, Completion, SamplingRequest
from pipeline.experiment import Experiment
from pipeline.ledger import Use
from pipeline.problems.problem_set import Problem
from pipeline.reasoners.complete_answer import answer_form
from pipeline.reasoners.early_answers import think_and_answer
from pipeline.reasoners.opening import messages, open_chain
from pipeline.reasoners.protocol import Assignment
from pipeline.reasoners.settings import ThinkingLimit
from pipeline.reasoners.step_ends import REPLACEMENT, track_answer
from pipeline.reasoners.track_plans import TrackPlan
from pipeline.records import Step, Stop, Track
from pipeline.seeds import request_seed


class Request(NamedTuple):
    """How a whole chain is asked for, and the note that says why it may have fewer tokens."""

    sampling: SamplingRequest
    notes: tuple[str, ...]


async def reason_alone(assignment: Assignment, plan: TrackPlan) -> Track:
    """One track to the end of the text, at most the token budget.

    It has one step, or, where the experiment limits thinking, one for each request.
    """
    experiment, engine = assignment.experiment, assignment.target
    for limit in experiment.sections:
        if isinstance(limit, ThinkingLimit) and limit.tokens is not None:
            return await think_and_answer(assignment, plan, limit, limit.tokens)
    by_tokens = Ability.TOKEN_PROMPTS in engine.abilities
    task = plan.prompt.text
    opening = experiment.opening("target")
    prompt = open_chain(engine.tokenizer, task, *opening) if by_tokens else []
    context = engine.facts.context if by_tokens else None
    sampling, notes = request_for(
        experiment, (assignment.problem, assignment.repeat_id), plan.track_id, len(prompt), context
    )
    completion = (
        await engine.complete(prompt, sampling)
        if by_tokens
        else await engine.chat(messages(task, opening.system), sampling)
    )
    assignment.ledger.book("target", Use.PLAIN, completion)
    return _recorded(assignment, plan, completion, notes)


def request_for(
    experiment: Experiment,
    work: tuple[Problem, int],
    track_id: str,
    prompt_tokens: int,
    context: int | None,
) -> Request:
    """How the chain of a problem's repeat is asked for: drawn with a seed of its own.

    The budget is capped to what the context leaves after the prompt.
    """
    problem, repeat_id = work
    budget, notes = experiment.token_budget, tuple[str, ...]()
    if context is not None and 0 < context - prompt_tokens < budget:
        budget = context - prompt_tokens
        notes = (f"budget capped to the {budget} tokens left in the context of {context}",)
    seed = request_seed(
        experiment.seed,
        problem.dataset,
        problem.problem_id,
        repeat_id,
        track_id,
        step=0,
        purpose="reason",
    )
    return Request(experiment.sampling("target").request(max_tokens=budget, seed=seed), notes)


def _recorded(
    assignment: Assignment, plan: TrackPlan, completion: Completion, notes: tuple[str, ...]
) -> Track:
    tokens = completion.generated
    text = completion.text
    if completion.finish_reason == "length":
        text = text.rstrip(REPLACEMENT)  # a character that the cut left a part of
    stop = Stop.LENGTH
    if completion.finish_reason == "stop":
        stop = Stop.FINISHED
    elif tokens is None or tokens >= assignment.experiment.token_budget:
        stop = Stop.BUDGET
    step = Step(
        text=text,
        author="target",
        tokens=tokens,
        seconds=completion.seconds,
        finish=completion.finish_reason,
    )
    return Track(
        id=plan.track_id,
        steps=(step,),
        stop=stop,
        answer=track_answer(text, answer_form(assignment.problem, plan.prompt.text), stop),
        role=plan.role,
        method=plan.method,
        notes=notes,
    )
