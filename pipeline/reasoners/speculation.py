"""The three moves of speculative reasoning: the draft writes a step, the target scores it, the
target writes one itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.engines.protocol import Completion, Engine, SamplingRequest
from pipeline.errors import EngineDead, EngineFailure, PromptTooLong
from pipeline.ledger import Use
from pipeline.problems.prompting import score_question
from pipeline.reasoners.chain import Chain, Vocabularies
from pipeline.reasoners.complete_answer import answer_form, ends_track
from pipeline.reasoners.opening import open_chain, opens_thinking
from pipeline.reasoners.protocol import Assignment
from pipeline.reasoners.settings import StepSettings
from pipeline.reasoners.step_ends import (
    STEP_END,
    STEP_TOKENS,
    Author,
    Written,
    closes_thinking,
    joined,
    stop_after,
    track_answer,
    without_think_close,
    written,
)
from pipeline.reasoners.step_score import Score, digit_ids, score_of
from pipeline.reasoners.track_plans import TrackPlan
from pipeline.records import Stop
from pipeline.seeds import request_seed

Report = Callable[[Completion], None]


@dataclass(frozen=True, slots=True)
class Unwritten:
    """A draft that did not come, and why; the target writes the step instead.

    `for_good` says that none will come after this chain either: the draft's context is full.
    """

    reason: str
    for_good: bool = False


DRAFT_IS_FULL = Unwritten("the draft's context is full", for_good=True)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a step is written for: its part in the seeds, and what its tokens are booked as."""

    name: str
    use: Use


REWRITE = Purpose("rewrite", Use.REWRITE)
ALONE = Purpose("alone", Use.PLAIN)


class Moves:
    """What one track asks of the models. Every prompt is the track's own chain plus a tail."""

    def __init__(self, assignment: Assignment, plan: TrackPlan, draft: Engine) -> None:
        target = assignment.target
        self._assignment = assignment
        self._plan = plan
        self._engines: dict[Author, Engine] = {"target": target, "draft": draft}
        self._settings = assignment.experiment.section(StepSettings)
        self.vocabularies = Vocabularies(target.tokenizer, draft.tokenizer)
        self._question = target.tokenizer.encode(score_question(assignment.prompt_set).text)
        self._blank = target.tokenizer.encode(STEP_END)
        self._digits = digit_ids(target.tokenizer)
        self._form = answer_form(assignment.problem, plan.prompt.text)

    def opened(self) -> Chain:
        """The chain before its first step, in the ids of both models."""
        opening, task = self._assignment.experiment.opening, self._plan.prompt.text
        target, draft = self.vocabularies.target, self.vocabularies.draft
        return Chain(
            target_ids=tuple(open_chain(target, task, *opening("target"))),
            draft_ids=tuple(open_chain(draft, task, *opening("draft"))),
            thinking=opens_thinking(target, task, *opening("target")),
        )

    def stop_after(self, before: Chain, last: Written) -> Stop | None:
        """Why the track stops if `last` is accepted after `before`; None if it goes on."""
        left = self._assignment.experiment.token_budget - before.spent - last.tokens
        answered = ends_track(last.text, self._form, thinking=before.thinking, earlier=before.texts)
        return stop_after((*before.texts, last.text), last, left, answered=answered)

    def answer(self, chain: Chain, stop: Stop) -> str | None:
        """The answer of a track that ended with this chain."""
        return track_answer("".join(chain.texts), self._form, stop)

    async def draft_step(self, chain: Chain, report: Report) -> Written | Unwritten:
        """The draft's next step after `chain`; a failing draft is no failure of the track.

        What a draft wrote until its context was full is no step. `report` is called with every
        completion as it comes.

        Raises:
            EngineDead: the draft engine is gone.
            PromptTooLong: the draft's context is full before the first step.
        """
        try:
            step = await self._step(chain, "draft", "draft", report)
        except EngineDead:
            raise
        except PromptTooLong:
            if not chain.length:
                raise
            return DRAFT_IS_FULL
        except EngineFailure as failure:
            return Unwritten(str(failure))
        return DRAFT_IS_FULL if step.context_full else step

    async def score(self, chain: Chain, draft: Written) -> Score:
        """The target's judgement of a draft after `chain`: one token of one request."""
        blank = [] if draft.text.endswith(STEP_END) else self._blank
        step = self.vocabularies.ids_for("target", draft)
        sampling = SamplingRequest(
            max_tokens=1,
            temperature=0.0,
            top_p=1.0,
            seed=self._seed(chain, "score"),
            logprobs_of=self._digits,
        )
        completion = await self._engines["target"].complete(
            [*chain.target_ids, *step, *blank, *self._question], sampling
        )
        self._assignment.ledger.book("target", Use.VERIFY, completion)
        return score_of(
            completion.logprobs or {},
            self._digits,
            self._settings.score_method,
            completion.seconds,
        )

    async def target_step(self, chain: Chain, purpose: Purpose) -> Written:
        """The target's own next step after `chain`; it never sees a rejected draft."""

        def book(completion: Completion) -> None:
            self._assignment.ledger.book("target", purpose.use, completion)

        return await self._step(chain, "target", purpose.name, book)

    async def _step(self, chain: Chain, author: Author, purpose: str, report: Report) -> Written:
        """One step; with a `</think>` in it, on to the end of the text by the same author."""
        left = self._assignment.experiment.token_budget - chain.spent
        prompt = chain.ids(author)
        sampling = self._assignment.experiment.sampling(author)
        seed = self._seed(chain, purpose)
        request = sampling.request(min(STEP_TOKENS, left), seed, stop=(STEP_END,))
        first = await self._write(author, prompt, request, report)
        if not closes_thinking(first):
            return first
        if self._settings.think_close == "removed":
            answered = ends_track(
                first.text, self._form, thinking=chain.thinking, earlier=chain.texts
            )
            tokenizer = self._engines[author].tokenizer
            return first if answered else without_think_close(first, tokenizer)
        if first.tokens >= left:
            return first
        request = sampling.request(left - first.tokens, self._seed(chain, f"{purpose} answer"))
        rest = await self._write(author, (*prompt, *first.token_ids), request, report)
        return joined(first, rest)

    async def _write(
        self, author: Author, prompt: tuple[int, ...], request: SamplingRequest, report: Report
    ) -> Written:
        engine = self._engines[author]
        completion = await engine.complete(prompt, request)
        report(completion)
        return written(author, engine.tokenizer, completion, request.max_tokens)

    def _seed(self, chain: Chain, purpose: str) -> int:
        """The request's seed: by the step's place, never by when it is asked for."""
        experiment, problem = self._assignment.experiment, self._assignment.problem
        return request_seed(
            experiment.seed,
            problem.dataset,
            problem.problem_id,
            self._assignment.repeat_id,
            self._plan.track_id,
            step=chain.length,
            purpose=purpose,
        )
