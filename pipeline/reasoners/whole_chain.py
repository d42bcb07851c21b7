"""The target alone: a whole chain of reasoning, in one completion unless thinking is limited."""

from typing import NamedTuple

from pipeline.engines.protocol import Ability, Completion
from pipeline.ledger import Use
from pipeline.reasoners.complete_answer import answer_form
from pipeline.reasoners.early_answers import think_and_answer
from pipeline.reasoners.opening import messages, open_chain
from pipeline.reasoners.protocol import Assignment
from pipeline.reasoners.settings import ThinkingLimit
from pipeline.reasoners.step_ends import REPLACEMENT, track_answer
from pipeline.reasoners.track_plans import TrackPlan
from pipeline.records import Step, Stop, Track
from pipeline.seeds import request_seed


class Room(NamedTuple):
    """The tokens a completion may have, and the note that says why they are fewer than asked."""

    budget: int
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
    room = _room(experiment.token_budget, engine.facts.context if by_tokens else None, len(prompt))
    sampling = experiment.sampling("target").request(
        max_tokens=room.budget,
        seed=request_seed(
            experiment.seed,
            assignment.problem.dataset,
            assignment.problem.problem_id,
            assignment.repeat_id,
            plan.track_id,
            step=0,
            purpose="reason",
        ),
    )
    completion = (
        await engine.complete(prompt, sampling)
        if by_tokens
        else await engine.chat(messages(task, opening.system), sampling)
    )
    assignment.ledger.book("target", Use.PLAIN, completion)
    return _recorded(assignment, plan, completion, room.notes)


def _room(budget: int, context: int | None, prompt_tokens: int) -> Room:
    """The budget, capped to what the context leaves after the prompt."""
    if context is None or not 0 < context - prompt_tokens < budget:
        return Room(budget, ())
    left = context - prompt_tokens
    return Room(left, (f"budget capped to the {left} tokens left in the context of {context}",))


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
