"""Answering prompts with one model, a few at a time, and only those that have no answer yet."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from pipeline.engines.branching import Branching
from pipeline.engines.protocol import Ability, Completion, Engine, Tokenizer
from pipeline.engines.settings import BRANCHES
from pipeline.errors import EngineDead, EngineFailure, UserMistake
from pipeline.generating.answers import ENGINE_LOG, Answer, AnswerFile, Stop, opened
from pipeline.generating.asking import ask
from pipeline.generating.effort import effort_of
from pipeline.generating.prompts import Prompt
from pipeline.generating.settings import Generation
from pipeline.generating.shard_files import answered_elsewhere, joined, shard_file, shards_held
from pipeline.generating.streaming import Hear
from pipeline.generating.units import Unit, asks_groups, counted_by, of_shard, units_of
from pipeline.runs.interrupts import call, drain_on_interrupt
from pipeline.runs.runner import ProgressDisplay, engine_of
from pipeline.runs.scheduler import Engines, Progress
from pipeline.shards import WHOLE, Shard

ROLE = "target"
KEPT = (
    "Interrupted: finished answers are kept; repeat the command (without --overwrite) to continue."
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What one call did; `rows` are all that was asked for and is there, `failed` those of errors.

    Answers are `made` or `already_done`, and neither is one that failed.
    """

    made: int
    already_done: int
    failed: int
    remaining: int
    rows: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, rows: Iterable[dict[str, Any]], before: Collection[str], remaining: int) -> Self:
        """The rows counted; `before` are the ids of those that were there."""
        there = tuple(rows)
        answered = [row["id"] for row in there if row["error"] is None]
        already = sum(one in before for one in answered)
        return cls(
            made=len(answered) - already,
            already_done=already,
            failed=len(there) - len(answered),
            remaining=remaining,
            rows=there,
        )


def generate(
    generation: Generation,
    prompts: tuple[Prompt, ...],
    output: Path,
    *,
    retry_errors: bool = False,
    overwrite: bool = False,
    display: ProgressDisplay | None = None,
    check: Callable[[Path], None] | None = None,
    hear: Hear | None = None,
    shard: Shard | None = None,
) -> Summary:
    """Answer the prompts that have no answer yet, in the output or in files of its shards.

    With a shard only its prompts are answered, in a file of its own, and the summary is about them;
    without one the output has all that shards have. `check` is called before, with the folder
    beside the file, while this process holds it; `hear` with what answers have more, as they are
    written. No file is changed before the engine has started.

    Raises:
        UserMistake: what was asked cannot be done.
        RunStopped: the engine or the disk failed; what is answered is kept.
    """
    own, settings = shard_file(output, shard), generation.identity
    model, seed, tokens_of = generation.model, generation.seed, counted_by(generation)
    mine = of_shard(model, prompts, shard or WHOLE, seed, tokens_of=tokens_of)
    with contextlib.ExitStack() as held:
        answers = held.enter_context(opened(own, prompts, settings, overwrite=overwrite))
        shards = held.enter_context(shards_held(output, settings, own)) if overwrite else []
        if check is not None:
            check(answers.folder)
        elsewhere = {} if overwrite else answered_elsewhere(output, own, prompts, settings)
        found = joined(answers.rows, elsewhere)

        def begin() -> None:
            for file in (*shards, answers):
                file.begin()

        if shard is None:
            answers.rows.update(found)
        there = {one for one, row in found.items() if not (retry_errors and row.get("error"))}
        missing = {prompt.prompt_id for prompt in mine} - there
        units = units_of(model, prompts, missing, shard or WHOLE, seed, tokens_of=tokens_of)
        progress = Progress(total=len(missing))
        try:
            if missing:
                work = _answer_all(
                    generation, units, answers, begin, progress, display=display, hear=hear
                )
                call(work, KEPT)
            else:
                begin()
        finally:
            if answers.has_begun and answers.rows:
                answers.write(prompts)
        found |= answers.rows
    return Summary.of(
        (found[one.prompt_id] for one in mine if one.prompt_id in found),
        before=there,
        remaining=len(missing) - progress.done,
    )


async def _answer_all(
    generation: Generation,
    units: Sequence[Unit],
    answers: AnswerFile,
    begin: Callable[[], None],
    progress: Progress,
    *,
    display: ProgressDisplay | None,
    hear: Hear | None,
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        engines = await started(generation, answers.folder / ENGINE_LOG, progress, stack)
        prompts = [prompt for unit in units for prompt in unit.prompts]
        _refuse_bare_texts(generation, prompts, engines.by_role[ROLE])
        begin()
        shown = display(progress) if display is not None else contextlib.nullcontext()
        with shown, drain_on_interrupt(lambda: progress.in_flight) as draining:
            progress.begin()
            waiting = iter(units)

            async def work(branch: int) -> None:
                for unit in waiting:
                    if draining.is_set():
                        return
                    progress.in_flight += len(unit.wanted)
                    for answer in await answers_to(unit.prompts, generation, engines, hear, branch):
                        if answer.prompt.prompt_id in unit.wanted:
                            answers.add(answer)
                            _count(progress, answer)

            with _first_of_a_group():
                async with asyncio.TaskGroup() as group:
                    grouped = asks_groups(generation.model)
                    for number in range(min(_units_in_flight(generation, units), len(units))):
                        group.create_task(work(0 if grouped else number))


def _units_in_flight(generation: Generation, units: Sequence[Unit]) -> int:
    """How many are asked at a time: as many prompts as are to be in flight, and whole sequences."""
    model = generation.model
    branches = (model.branching or Branching()).branches if model.decoding == BRANCHES else 1
    if asks_groups(model):
        size, sequence = max(len(unit.prompts) for unit in units), 1
    else:
        size, sequence = branches, branches
    together = 1 if generation.batch_by_samples else size
    return -(-generation.batch_size // together) * sequence


async def started(
    generation: Generation, log: Path, progress: Progress, stack: contextlib.AsyncExitStack
) -> Engines:
    """The model's engine, running for as long as `stack` is open.

    Raises:
        UserMistake: it cannot do what is asked.
        RunStopped: it does not start.
    """
    asked = replace(generation.model, sampling=generation.sampling)
    engines = Engines({ROLE: engine_of(asked, log, [progress])}, log=log)
    await stack.enter_async_context(engines.running())
    return engines


async def answers_to(
    prompts: Sequence[Prompt],
    generation: Generation,
    engines: Engines,
    hear: Hear | None = None,
    branch: int = 0,
) -> list[Answer]:
    """The answers to prompts that are asked together, or why there is none.

    `branch` is the place of the first among those that are written together. All are asked once
    more if the engine dies under them.

    Raises:
        RunStopped: the engine cannot be brought back.
    """
    began = time.monotonic()
    try:
        found = await ask(prompts, generation, engines.by_role[ROLE], hear, branch)
    except EngineDead:
        await engines.mend()
        try:
            found = await ask(prompts, generation, engines.by_role[ROLE], hear, branch)
        except EngineDead as error:
            found = [error] * len(prompts)
    seconds = round(time.monotonic() - began, 6)
    told = generation.trace or generation.likeliest
    tokenizer = engines.by_role[ROLE].tokenizer if told else None
    return [
        _answer(prompt, one, generation, seconds, tokenizer)
        for prompt, one in zip(prompts, found, strict=True)
    ]


def _answer(
    prompt: Prompt,
    found: Completion | EngineFailure | UserMistake,
    generation: Generation,
    seconds: float,
    traced: Tokenizer | None,
) -> Answer:
    if isinstance(found, Exception):
        return Answer(prompt, seconds, error={"type": type(found).__name__, "message": str(found)})
    return Answer(
        prompt,
        seconds,
        response=found.text,
        stop=_stop(found, generation),
        prompt_tokens=found.prompt_tokens,
        tokens=found.generated,
        more=effort_of(found, traced),
    )


def _refuse_bare_texts(generation: Generation, prompts: list[Prompt], engine: Engine) -> None:
    bare = any(isinstance(one.asked, str) for one in prompts) and not generation.chat_template
    if bare and Ability.TOKEN_PROMPTS not in engine.abilities:
        raise UserMistake(
            "This server takes chats only, as its tokenizer is not known: give "
            "--use-chat-template, or name the tokenizer with --tokenizer."
        )


def _stop(completion: Completion, generation: Generation) -> Stop:
    tokens = completion.generated or 0
    if completion.finish_reason == "stop":
        return "end"
    if tokens >= generation.max_new_tokens:
        return "max_new_tokens"
    if (completion.prompt_tokens or 0) + tokens >= generation.max_length:
        return "max_length"
    return "context"


def _count(progress: Progress, answer: Answer) -> None:
    progress.in_flight -= 1
    progress.done += 1
    progress.failed += answer.error is not None
    if answer.error is None:
        known = progress.generated is not None and answer.tokens is not None
        progress.generated = (progress.generated or 0) + (answer.tokens or 0) if known else None


@contextlib.contextmanager
def _first_of_a_group() -> Iterator[None]:
    """The first error of a group of tasks in place of the group."""
    try:
        yield
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
