"""Baseline: the target reasons alone, in one completion."""

from evaluators import extract_answer
from pipeline.engines.protocol import Ability, SamplingRequest
from pipeline.ledger import Use
from pipeline.reasoners.opening import messages, open_chain
from pipeline.reasoners.protocol import Assignment, Outcome
from pipeline.records import Step, Stop, Track
from pipeline.seeds import request_seed

TRACK = "0"


async def solve(assignment: Assignment) -> Outcome:
    """One track, one step to the end of the text, at most the token budget."""
    experiment, problem, engine = assignment.experiment, assignment.problem, assignment.target
    budget = experiment.token_budget
    notes: tuple[str, ...] = ()
    by_tokens = Ability.TOKEN_PROMPTS in engine.abilities
    prompt = (
        open_chain(engine.tokenizer, assignment.prompt.text, experiment.thinking)
        if by_tokens
        else []
    )
    context = engine.facts.context
    if by_tokens and context is not None and 0 < context - len(prompt) < budget:
        budget = context - len(prompt)
        notes = (f"budget capped to the {budget} tokens left in the context of {context}",)
    sampling = SamplingRequest(
        max_tokens=budget,
        temperature=experiment.temperature,
        top_p=experiment.top_p,
        seed=request_seed(
            experiment.seed,
            problem.dataset,
            problem.problem_id,
            assignment.repeat_id,
            TRACK,
            step=0,
            purpose="reason",
        ),
    )
    completion = (
        await engine.complete(prompt, sampling)
        if by_tokens
        else await engine.chat(messages(assignment.prompt.text), sampling)
    )
    assignment.ledger.book("target", Use.PLAIN, completion)
    spent = completion.generated >= experiment.token_budget
    track = Track(
        id=TRACK,
        steps=(
            Step(
                text=completion.text,
                author="target",
                tokens=completion.generated,
                seconds=completion.seconds,
                finish=completion.finish_reason,
            ),
        ),
        stop=Stop.FINISHED
        if completion.finish_reason == "stop"
        else Stop.BUDGET
        if spent
        else Stop.LENGTH,
        answer=extract_answer(completion.text, problem.kind),
        notes=notes,
    )
    return Outcome((track,), vote=None, response=completion.text, answer=track.answer)
