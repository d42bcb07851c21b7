"""One speculative track: its accepted steps, what becomes of its drafts, and its record.

The reasoners `spec` and `spec-async` differ only in when they make its moves.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import replace

from pipeline.engines.protocol import Completion, Engine
from pipeline.errors import PromptTooLong
from pipeline.ledger import Use
from pipeline.reasoners.chain import Chain
from pipeline.reasoners.protocol import Assignment
from pipeline.reasoners.settings import StepSettings
from pipeline.reasoners.speculation import ALONE, REWRITE, Moves, Unwritten
from pipeline.reasoners.step_ends import Written
from pipeline.reasoners.step_score import MIN_DIGIT_MASS, Score, is_kept, is_parsed
from pipeline.reasoners.track_plans import TrackPlan
from pipeline.records import Step, Stop, Track

Procedure = Callable[["SpecTrack"], Awaitable[None]]


class SpecTrack:
    """A track on its way. `chain` holds accepted steps only; `stop` is None while it goes on."""

    def __init__(
        self, assignment: Assignment, plan: TrackPlan, draft: Engine, procedure: Procedure
    ) -> None:
        self._assignment = assignment
        self._plan = plan
        self._procedure = procedure
        self._moves = Moves(assignment, plan, draft)
        self.settings = assignment.experiment.section(StepSettings)
        self.chain = self._moves.opened()
        self.stop: Stop | None = None
        self._steps: list[Step] = []
        self._notes: list[str] = []
        self._undecided: dict[int, list[Completion]] = {}
        self._draft_is_full = False

    async def run(self) -> Track:
        """Reason to the end by the procedure; what was drafted in vain is booked as such.

        Raises:
            PromptTooLong: a model's context is full before the first step.
        """
        try:
            await self._procedure(self)
        except PromptTooLong as full:
            if not self._steps:
                raise
            self.stop = Stop.LENGTH
            self._notes.append(str(full))
        finally:
            self.drop_drafts(0)
        return self._recorded(self.stop or Stop.ERROR)

    def so_far(self, stop: Stop, note: str) -> Track:
        """The track as it is now, ended from outside."""
        self._notes.append(note)
        return self._recorded(stop)

    @property
    def is_targets_turn(self) -> bool:
        """Whether no draft is asked for: one of the first steps, or the draft has no room left."""
        return self._draft_is_full or self.chain.length < self.settings.first_n_steps_base_model

    def ends_with(self, chain: Chain, step: Written) -> bool:
        """Whether the track would stop if `step` were accepted after `chain`."""
        return self._moves.stop_after(chain, step) is not None

    def extended(self, chain: Chain, step: Written) -> Chain:
        """`chain` with one more step, in both models' ids."""
        return chain.extended(step, self._moves.vocabularies)

    async def draft(self, chain: Chain) -> Written | Unwritten:
        """The draft's next step after `chain`, its tokens kept in mind until its fate is known."""
        return await self._moves.draft_step(
            chain, self._undecided.setdefault(chain.length, []).append
        )

    async def score(self, chain: Chain, draft: Written) -> Score:
        """The target's score of a draft after `chain`."""
        return await self._moves.score(chain, draft)

    def is_good(self, score: Score) -> bool:
        """Whether a step with this score is kept."""
        settings = self.settings
        return is_kept(score.digits, settings.score_method, settings.score_threshold)

    def keep(self, draft: Written, score: Score) -> None:
        """Accept a drafted step."""
        self._book(self._undecided.pop(self.chain.length, []), Use.DRAFT_KEPT)
        kept = replace(
            _step_of(draft),
            score=score.value,
            digits=score.digits,
            score_seconds=score.seconds,
        )
        self._accept(draft, kept)

    async def own_step(self, chain: Chain) -> Written:
        """What the target writes after `chain` in place of a rejected draft."""
        return await self._moves.target_step(chain, REWRITE)

    def rewrite(self, draft: Written, score: Score, own: Written) -> None:
        """Drop a draft and all that was drafted after it; accept the target's own step."""
        self.drop_drafts(self.chain.length)
        rewritten = replace(
            _step_of(own),
            score=score.value,
            digits=score.digits,
            draft_text=draft.text,
            draft_tokens=draft.tokens,
            draft_seconds=draft.seconds,
            score_seconds=score.seconds,
            notes=(*own.notes, *_flags(score)),
        )
        self._accept(own, rewritten)

    async def target_alone(self, because: Unwritten | None = None) -> None:
        """A step of the target that no draft was asked for, or for which none came."""
        self.drop_drafts(self.chain.length)
        step = await self._moves.target_step(self.chain, ALONE)
        if because is not None and because.for_good:
            self._draft_is_full = True
            self._notes.append(
                f"from step {self.chain.length} on the target wrote alone: {because.reason}"
            )
        why = () if because is None else (f"no draft: {because.reason}",)
        alone = _step_of(step)
        self._accept(step, replace(alone, notes=(*step.notes, *why)))

    def drop_drafts(self, from_step: int) -> None:
        """Book what was drafted for these steps and will not be used."""
        for index in [index for index in self._undecided if index >= from_step]:
            self._book(self._undecided.pop(index), Use.DRAFT_DROPPED)

    def _accept(self, step: Written, record: Step) -> None:
        self.stop = self._moves.stop_after(self.chain, step)
        self.chain = self.extended(self.chain, step)
        self._steps.append(record)

    def _book(self, completions: list[Completion], use: Use) -> None:
        for completion in completions:
            self._assignment.ledger.book("draft", use, completion)

    def _recorded(self, stop: Stop) -> Track:
        return Track(
            id=self._plan.track_id,
            steps=tuple(self._steps),
            stop=stop,
            answer=self._moves.answer(self.chain, stop),
            role=self._plan.role,
            method=self._plan.method,
            notes=tuple(self._notes),
        )


def _step_of(written: Written) -> Step:
    """The record of a step that no draft was judged for."""
    return Step(
        text=written.text,
        author=written.author,
        tokens=written.tokens,
        seconds=written.seconds,
        finish=written.finish,
        notes=written.notes,
    )


def _flags(score: Score) -> tuple[str, ...]:
    """Why a score is no score, where it is none."""
    if is_parsed(score.digits):
        return ()
    mass = math.fsum(score.digits)
    return (f"score not parsed: digits have {mass:.4f} of the mass, not {MIN_DIGIT_MASS}",)
