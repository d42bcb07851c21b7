"""A chain whose thinking ends at a limit: then the block is closed and the model must answer.

Budget forcing (Muennighoff et al. 2025, arXiv 2501.19393): what is written so far is the prompt of
what follows, on every engine alike. A model that stops thinking before the limit can be sent back
by a word that stands in place of its `</think>`.
"""

from dataclasses import dataclass, replace

from pipeline.engines.protocol import Tokenizer
from pipeline.ledger import Use
from pipeline.problems.prompting import thinking_close, thinking_wait
from pipeline.reasoners.complete_answer import answer_form
from pipeline.reasoners.opening import THINK_CLOSE, open_chain
from pipeline.reasoners.protocol import Assignment
from pipeline.reasoners.settings import ThinkingLimit
from pipeline.reasoners.step_ends import Written, track_answer, written
from pipeline.reasoners.track_plans import TrackPlan
from pipeline.records import Step, Stop, Track
from pipeline.seeds import request_seed


@dataclass(slots=True)
class _Chain:
    """What is written so far, as the prompt of the next request and as steps of the record."""

    assignment: Assignment
    plan: TrackPlan
    ids: list[int]
    steps: list[Step]
    spent: int = 0

    @property
    def tokenizer(self) -> Tokenizer:
        return self.assignment.target.tokenizer

    @property
    def is_full(self) -> bool:
        context = self.assignment.target.facts.context
        return context is not None and len(self.ids) >= context

    async def write(self, purpose: str, most: int, stop: tuple[str, ...] = ()) -> Written:
        """At most so many tokens more; what they are becomes a step when it is added."""
        experiment, problem = self.assignment.experiment, self.assignment.problem
        seed = request_seed(
            experiment.seed,
            problem.dataset,
            problem.problem_id,
            self.assignment.repeat_id,
            self.plan.track_id,
            step=len(self.steps),
            purpose=purpose,
        )
        request = experiment.sampling("target").request(most, seed, stop)
        completion = await self.assignment.target.complete(self.ids, request)
        self.assignment.ledger.book("target", Use.PLAIN, completion)
        return written("target", self.tokenizer, completion, most)

    def add(self, piece: Written, appended: str = "", note: str | None = None) -> None:
        """Go on after a piece of the model's and after a text that it did not write."""
        self.ids += [*piece.token_ids, *self.tokenizer.encode(appended)]
        self.spent += piece.tokens
        step = Step(
            text=piece.text + appended,
            author="target",
            tokens=piece.tokens,
            seconds=piece.seconds,
            finish=piece.finish,
            notes=() if note is None else (note,),
        )
        self.steps.append(step)


async def think_and_answer(
    assignment: Assignment, plan: TrackPlan, limit: ThinkingLimit, tokens: int
) -> Track:
    """One track that thinks for at most so many tokens, and then answers."""
    task, experiment = plan.prompt.text, assignment.experiment
    opened = open_chain(assignment.target.tokenizer, task, *experiment.opening("target"))
    chain = _Chain(assignment, plan, opened, [])
    stop = await _think(chain, limit, tokens)
    if stop is None:
        stop = await _answer(chain)
    text = "".join(step.text for step in chain.steps)
    return Track(
        id=plan.track_id,
        steps=tuple(chain.steps),
        stop=stop,
        answer=track_answer(text, answer_form(assignment.problem, task), stop),
        role=plan.role,
        method=plan.method,
    )


async def _think(chain: _Chain, limit: ThinkingLimit, tokens: int) -> Stop | None:
    """Think until the block is closed; why the track ends already, where its context is full."""
    prompts = chain.assignment.prompt_set
    waited = 0
    while True:
        piece = await chain.write("reason", tokens - chain.spent, (THINK_CLOSE,))
        left = tokens - chain.spent - piece.tokens
        if piece.context_full:
            chain.add(piece)
            return Stop.LENGTH
        stops_itself = piece.ended or THINK_CLOSE in piece.text
        if not stops_itself or left == 0 or waited == limit.waits:
            break
        waited += 1
        note = f"stopped thinking after {tokens - left} tokens and was sent back ({waited})"
        chain.add(_before_close(piece, chain.tokenizer), thinking_wait(prompts), note)
    if THINK_CLOSE in piece.text:
        chain.add(piece)
    else:
        why = "its text ended there" if piece.ended else "the thinking budget"
        note = f"thinking was closed after {tokens - left} tokens: {why}"
        chain.add(piece, thinking_close(prompts), note)
    return Stop.LENGTH if chain.is_full else None


async def _answer(chain: _Chain) -> Stop:
    """Write on to the end of the text, with what is left of the token budget."""
    budget = chain.assignment.experiment.token_budget
    piece = await chain.write("answer", budget - chain.spent)
    chain.add(piece)
    if piece.ended:
        return Stop.FINISHED
    return Stop.LENGTH if piece.context_full else Stop.BUDGET


def _before_close(piece: Written, tokenizer: Tokenizer) -> Written:
    """The piece up to its `</think>`; ids stay as they were written as far as they can."""
    text = piece.text.partition(THINK_CLOSE)[0]
    ids = piece.token_ids
    while not text.startswith(tokenizer.decode(ids)):
        ids = ids[:-1]
    rest = text[len(tokenizer.decode(ids)) :]
    return replace(piece, text=text, token_ids=(*ids, *tokenizer.encode(rest)))
