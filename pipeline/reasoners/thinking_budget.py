"""A chain whose thinking ends at a limit: then the block is closed and the model must answer.

Budget forcing (Muennighoff et al. 2025, arXiv 2501.19393): what is written so far is the prompt of
what follows, on every engine alike. A model that stops thinking before the limit can be sent back
by a word that stands in place of its `</think>`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pipeline.engines.protocol import Completion, Tokenizer
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
class Chain:
    """What is written so far, as the prompt of the next request and as steps of the record.

    `completions` are those that it was written in. Requests whose completions are `known` already,
    in this order from the first on, are not asked again; what is asked is booked under `use`.
    """

    assignment: Assignment
    plan: TrackPlan
    ids: list[int]
    use: Use = Use.PLAIN
    known: Sequence[Completion] = ()
    steps: list[Step] = field(default_factory=list)
    completions: list[Completion] = field(default_factory=list)
    spent: int = 0

    @classmethod
    def opened(
        cls,
        assignment: Assignment,
        plan: TrackPlan,
        use: Use = Use.PLAIN,
        known: Sequence[Completion] = (),
    ) -> "Chain":
        """A chain of which nothing is written but its prompt."""
        opening = assignment.experiment.opening("target")
        ids = open_chain(assignment.target.tokenizer, plan.prompt.text, *opening)
        return cls(assignment, plan, ids, use, known)

    @property
    def tokenizer(self) -> Tokenizer:
        """The target's."""
        return self.assignment.target.tokenizer

    @property
    def is_full(self) -> bool:
        """Whether the context has no room for another token."""
        context = self.assignment.target.facts.context
        return context is not None and len(self.ids) >= context

    async def write(self, purpose: str, most: int, stop: tuple[str, ...] = ()) -> Written:
        """At most so many tokens more; what they are becomes a step when it is added."""
        place = len(self.completions)
        if place < len(self.known):
            completion = first_tokens(self.known[place], most, self.tokenizer)
        else:
            completion = await self._ask(purpose, most, stop)
        self.completions.append(completion)
        return written("target", self.tokenizer, completion, most)

    async def _ask(self, purpose: str, most: int, stop: tuple[str, ...]) -> Completion:
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
        self.assignment.ledger.book("target", self.use, completion)
        return completion

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

    def ended(self, stop: Stop) -> Track:
        """The track that it is."""
        plan = self.plan
        form = answer_form(self.assignment.problem, plan.prompt.text)
        text = "".join(step.text for step in self.steps)
        return Track(
            id=plan.track_id,
            steps=tuple(self.steps),
            stop=stop,
            answer=track_answer(text, form, stop),
            role=plan.role,
            method=plan.method,
        )


async def think(chain: Chain, limit: ThinkingLimit, tokens: int) -> Stop | None:
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
        if chain.is_full:
            return Stop.LENGTH
    if THINK_CLOSE in piece.text:
        chain.add(piece)
    else:
        why = "its text ended there" if piece.ended else "the thinking budget"
        note = f"thinking was closed after {tokens - left} tokens: {why}"
        chain.add(piece, thinking_close(prompts), note)
    return Stop.LENGTH if chain.is_full else None


async def answer(chain: Chain) -> Stop:
    """Write on to the end of the text, with what is left of the token budget."""
    budget = chain.assignment.experiment.token_budget
    piece = await chain.write("answer", budget - chain.spent)
    chain.add(piece)
    if piece.ended:
        return Stop.FINISHED
    return Stop.LENGTH if piece.context_full else Stop.BUDGET


def first_tokens(completion: Completion, most: int, tokenizer: Tokenizer) -> Completion:
    """What the same request would have come to with fewer tokens to write.

    Its seconds are its share by tokens; what was computed besides is not known, nor in how many
    passes, unless each gave one token.
    """
    if completion.generated is None or completion.generated <= most:
        return completion
    ids = (completion.token_ids or ())[:most]
    return Completion(
        text=tokenizer.decode(ids),
        token_ids=ids,
        finish_reason="length",
        stop_string=None,
        prompt_tokens=completion.prompt_tokens,
        cached_prompt_tokens=completion.cached_prompt_tokens,
        seconds=completion.seconds * most / completion.generated,
        completion_tokens=most,
        forwards=most if completion.forwards == completion.generated else None,
    )


def _before_close(piece: Written, tokenizer: Tokenizer) -> Written:
    """The piece up to its `</think>`; ids stay as they were written as far as they can."""
    text = piece.text.partition(THINK_CLOSE)[0]
    ids = piece.token_ids
    while not text.startswith(tokenizer.decode(ids)):
        ids = ids[:-1]
    rest = text[len(tokenizer.decode(ids)) :]
    return replace(piece, text=text, token_ids=(*ids, *tokenizer.encode(rest)))
