"""The transformers engine: Hugging Face models without vLLM.

Requests in flight are rows of one forward, in one thread. With one row, the default, the same seed
gives the same tokens whatever else is in flight; with more, all but rounding is the same.
"""

import asyncio
import itertools
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch

from pipeline.decoding.prefix_blocks import PrefixBlocks
from pipeline.decoding.proposer import Work
from pipeline.engines.adapters import check_adapter
from pipeline.engines.branching import Branching
from pipeline.engines.declaration import TRANSFORMERS_SEQUENCES, WINDOW
from pipeline.engines.facts import read_facts
from pipeline.engines.guessing import assistant_of
from pipeline.engines.limits import check_sampling, room_for, time_limit
from pipeline.engines.protocol import (
    Ability,
    Completion,
    Computed,
    Message,
    ModelFacts,
    RefineRound,
    SamplingRequest,
)
from pipeline.engines.settings import BRANCHES, PLAIN, REFINE, EngineSettings
from pipeline.engines.step_watch import StepWatch
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.group_stepper import GroupStepper, check_branching
from pipeline.engines.transformers.loading import load_model, rows_for, settle_threads
from pipeline.engines.transformers.proposing import (
    check_decoding,
    proposers,
    refining,
)
from pipeline.engines.transformers.requests import Job
from pipeline.engines.transformers.stepper import Stepper
from pipeline.engines.transformers.worker import Worker
from pipeline.errors import EngineDead, EngineFailure

READY_PROMPT = "1+1="


class TransformersEngine:
    """One model run by transformers, on the GPU where there is one."""

    def __init__(self, settings: EngineSettings) -> None:
        """Raises `UserMistake` for settings that do not go together."""
        check_decoding(settings)
        check_adapter(settings)
        self._settings = settings
        self._facts: ModelFacts | None = None
        self._tokenizer: HFTokenizer | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._worker: Worker | None = None
        self._groups = itertools.count()

    @property
    def abilities(self) -> frozenset[Ability]:
        """Everything."""
        return frozenset(Ability)

    @property
    def facts(self) -> ModelFacts:
        """The model's facts, with the type it was loaded in."""
        if self._facts is None:
            raise EngineDead("the transformers engine has not been started")
        return self._facts

    @property
    def tokenizer(self) -> HFTokenizer:
        """The model's own tokenizer."""
        if self._tokenizer is None:
            raise EngineDead("the transformers engine has not been started")
        return self._tokenizer

    async def start(self) -> None:
        """Load the model and answer one short request; raises `UserMistake`."""
        await self.stop()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="transformers")
        loop = asyncio.get_running_loop()
        facts = await loop.run_in_executor(self._pool, read_facts, self._settings)
        stepper = await loop.run_in_executor(self._pool, self.load, facts)
        assistant = assistant_of(self._settings)
        if assistant is not None:
            facts = replace(
                facts, assistant=await loop.run_in_executor(self._pool, read_facts, assistant)
            )
        self._facts = replace(facts, dtype=str(stepper.model.dtype).split(".")[-1])
        self._tokenizer = stepper.tokenizer
        self._worker = Worker(
            self._pool,
            stepper,
            StepWatch("transformers", self._settings.step_timeout, self._settings.log),
        )
        prompt = self.tokenizer.encode(READY_PROMPT) or [0]
        await self.complete(prompt, SamplingRequest(1, temperature=0.0, top_p=1.0, seed=0))
        # With its thread at rest, all that is asked at once is in the first step.
        await loop.run_in_executor(self._pool, self._worker.check)

    async def complete(
        self, prompt_token_ids: Sequence[int], sampling: SamplingRequest
    ) -> Completion:
        """Continue a token prefix, as soon as there is a row for it."""
        began = time.perf_counter()
        worker = self._running()
        job = self._job(prompt_token_ids, sampling)
        worker.ask(job)
        return await self._answer(job, began)

    async def complete_together(
        self, asked: Sequence[tuple[Sequence[int], SamplingRequest]]
    ) -> list[Completion | EngineFailure]:
        """Continue token prefixes as branches of one sequence; what each came to.

        Raises:
            EngineDead: the model has ended.
        """
        began, group = time.perf_counter(), next(self._groups)
        worker = self._running()
        found: dict[int, Completion | EngineFailure] = {}
        jobs = {}
        for place, (ids, sampling) in enumerate(asked):
            try:
                jobs[place] = self._job(ids, sampling, group)
            except EngineFailure as error:
                found[place] = error
        worker.ask(*jobs.values())
        answers = await asyncio.gather(
            *(self._answer(job, began) for job in jobs.values()), return_exceptions=True
        )
        for place, answer in zip(jobs, answers, strict=True):
            if isinstance(answer, BaseException) and (
                isinstance(answer, EngineDead) or not isinstance(answer, EngineFailure)
            ):
                raise answer
            found[place] = answer
        return [found[place] for place in range(len(asked))]

    def _job(
        self, prompt_token_ids: Sequence[int], sampling: SamplingRequest, group: int | None = None
    ) -> Job:
        check_sampling(sampling)
        prompt = list(prompt_token_ids)
        if not prompt:
            raise EngineFailure("the prompt is empty; an engine continues at least one token")
        room = room_for(len(prompt), self.facts.context, sampling.max_tokens)
        return Job(prompt, sampling, room, group)

    async def _answer(self, job: Job, began: float) -> Completion:
        prompt = job.prompt
        async with time_limit(self._settings.seconds_allowed()):
            generated = await asyncio.wrap_future(job.answer)
        assisted = _computed(generated.assisted)
        return Completion(
            text=generated.text,
            token_ids=generated.token_ids,
            finish_reason=generated.finish_reason,
            stop_string=generated.stop_string,
            prompt_tokens=len(prompt),
            cached_prompt_tokens=generated.cached_tokens,
            seconds=time.perf_counter() - began,
            logprobs=generated.logprobs,
            refused=_computed(generated.refused),
            assisted=assisted,
            forwards=generated.forwards,
            assistant_forwards=generated.assisted.forwards if assisted is not None else None,
            likeliest=generated.likeliest,
            arrivals=generated.arrivals,
            rounds=tuple(
                RefineRound(
                    block=one.block,
                    number=one.number,
                    start=one.start - len(prompt),
                    tokens=one.tokens,
                    sure=one.sure,
                )
                for one in generated.rounds
            ),
        )

    async def chat(self, messages: Sequence[Message], sampling: SamplingRequest) -> Completion:
        """Complete the chat as the model's template renders it."""
        prompt = self.tokenizer.encode(self.tokenizer.render_chat(messages))
        return await self.complete(prompt, sampling)

    async def health(self) -> None:
        """Raise `EngineDead` when the model has failed or was stopped."""
        self._running()

    async def stop(self) -> None:
        """End the thread and let go of the model."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end("it was stopped")
            # What was asked last is handed over before the pool takes no more.
            await asyncio.sleep(0)
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, wait=True)
        if worker is not None:
            worker.watch.end()
        self._tokenizer = None
        del worker
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _running(self) -> Worker:
        if self._worker is None:
            raise EngineDead("the transformers engine is not running")
        self._worker.check()
        return self._worker

    def load(self, facts: ModelFacts) -> Stepper | GroupStepper:
        """Load tokenizer and models, in the worker thread."""
        settings = self._settings
        tokenizer = HFTokenizer.of(settings)
        settle_threads(settings, facts)
        model = load_model(settings)
        rows = settings.max_num_seqs or TRANSFORMERS_SEQUENCES
        if settings.decoding == BRANCHES:
            branching = settings.branching or Branching()
            check_branching(model, settings.model, branching)
            return GroupStepper(model, tokenizer, branching)
        blocks = PrefixBlocks.on(model.device)
        if settings.reread_prompts:
            blocks.limit = 0
        stepper = Stepper(model, tokenizer, blocks, rows, rows_for(model, settings))
        if settings.decoding == REFINE:
            stepper.use_refining(refining(settings, stepper))
        elif settings.decoding != PLAIN:
            stepper.use_windows(settings.window or WINDOW, proposers(settings, stepper))
        return stepper


def _computed(work: Work) -> Computed | None:
    """Work as the ledger books it; None where there was none."""
    if not (work.prompt or work.fed):
        return None
    return Computed(
        work.prompt, work.attended_prompt, work.fed, work.attended, cached_prompt=work.cached
    )
