"""Answering prompts with one model, a few at a time, and only those that have no answer yet."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.engines.protocol import Ability, Completion, Engine
from pipeline.engines.sampling import OPTIONS, Sampling
from pipeline.engines.settings import EngineSettings
from pipeline.errors import EngineDead, EngineFailure, PromptTooLong, UserMistake
from pipeline.experiment import engine_identity
from pipeline.generating.answers import ENGINE_LOG, Answer, AnswerFile, Stop, opened
from pipeline.generating.effort import effort_of
from pipeline.generating.prompts import Prompt
from pipeline.runs.interrupts import call, drain_on_interrupt
from pipeline.runs.runner import ProgressDisplay, engine_of
from pipeline.runs.scheduler import Engines, Progress
from pipeline.seeds import request_seed

ROLE = "target"
KEPT = "Interrupted: finished answers are kept; repeat the command to continue."


@dataclass(frozen=True, slots=True)
class Generation:
    """How prompts are answered.

    `max_new_tokens` is what an answer may have, `max_length` what prompt and answer may have
    together. With `chat_template` a text is asked as what the user says in a chat; a chat always
    is. `batch_size` is how many prompts are in flight. With `trace` a row tells the rounds in which
    blocks were refined.
    """

    model: EngineSettings
    sampling: Sampling
    seed: int = 0
    max_new_tokens: int = 1024
    max_length: int = 8192
    chat_template: bool = False
    batch_size: int = 1
    trace: bool = False

    def __post_init__(self) -> None:
        """Refuse values that nothing can be generated with."""
        for name in ("max_new_tokens", "max_length", "batch_size"):
            if getattr(self, name) < 1:
                flag = "--" + name.replace("_", "-")
                raise UserMistake(f"{flag} is {getattr(self, name)}; it must be 1 or more.")

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that decide what is written."""
        return {
            "model": engine_identity(self.model),
            **{option.name: getattr(self.sampling, option.name) for option in OPTIONS},
            "seed": self.seed,
            "max_new_tokens": self.max_new_tokens,
            "max_length": self.max_length,
            "use_chat_template": self.chat_template,
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """What one call did; `rows` are all that was asked for and is there."""

    made: int
    already_done: int
    failed: int
    remaining: int
    rows: tuple[dict[str, Any], ...]


def generate(
    generation: Generation,
    prompts: tuple[Prompt, ...],
    output: Path,
    *,
    retry_errors: bool = False,
    overwrite: bool = False,
    display: ProgressDisplay | None = None,
    check: Callable[[Path], None] | None = None,
) -> Summary:
    """Answer the prompts that have no answer in the output yet.

    `check` is called before, with the folder beside the output, while this process holds it.

    Raises:
        UserMistake: what was asked cannot be done.
        RunStopped: the engine or the disk failed; what is answered is kept.
    """
    with opened(output, prompts, generation.identity, overwrite=overwrite) as answers:
        if check is not None:
            check(answers.folder)
        there = {
            one for one, row in answers.rows.items() if not (retry_errors and row.get("error"))
        }
        missing = [prompt for prompt in prompts if prompt.prompt_id not in there]
        progress = Progress(total=len(missing))
        try:
            if missing:
                call(_answer_all(generation, missing, answers, progress, display), KEPT)
        finally:
            if answers.rows:
                answers.write(prompts)
    ids = [prompt.prompt_id for prompt in prompts]
    return Summary(
        made=progress.done,
        already_done=len(prompts) - len(missing),
        failed=progress.failed,
        remaining=len(missing) - progress.done,
        rows=tuple(answers.rows[one] for one in ids if one in answers.rows),
    )


async def _answer_all(
    generation: Generation,
    missing: list[Prompt],
    answers: AnswerFile,
    progress: Progress,
    display: ProgressDisplay | None,
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        engines = await started(generation, answers.folder / ENGINE_LOG, progress, stack)
        _refuse_bare_texts(generation, missing, engines.by_role[ROLE])
        shown = display(progress) if display is not None else contextlib.nullcontext()
        with shown, drain_on_interrupt(lambda: progress.in_flight) as draining:
            progress.begin()
            waiting = iter(missing)

            async def work() -> None:
                for prompt in waiting:
                    if draining.is_set():
                        return
                    progress.in_flight += 1
                    answer = await answer_to(prompt, generation, engines)
                    answers.add(answer)
                    _count(progress, answer)

            with _first_of_a_group():
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(generation.batch_size, len(missing))):
                        group.create_task(work())


async def started(
    generation: Generation, log: Path, progress: Progress, stack: contextlib.AsyncExitStack
) -> Engines:
    """The model's engine, running for as long as `stack` is open.

    Raises:
        UserMistake: it cannot do what is asked.
        RunStopped: it does not start.
    """
    asked = replace(generation.model, sampling=generation.sampling)
    engines = Engines({ROLE: engine_of(asked, log, progress.asked_to_wait)}, log=log)
    await stack.enter_async_context(engines.running())
    return engines


async def answer_to(prompt: Prompt, generation: Generation, engines: Engines) -> Answer:
    """The answer to a prompt, or why there is none; asked once more if the engine dies under it.

    Raises:
        RunStopped: the engine cannot be brought back.
    """
    began = time.monotonic()
    engine = engines.by_role[ROLE]
    try:
        try:
            completion = await ask(prompt, generation, engine)
        except EngineDead:
            await engines.mend()
            completion = await ask(prompt, generation, engine)
    except (EngineFailure, UserMistake) as error:
        said = {"type": type(error).__name__, "message": str(error)}
        return Answer(prompt, round(time.monotonic() - began, 6), error=said)
    return Answer(
        prompt,
        round(time.monotonic() - began, 6),
        response=completion.text,
        stop=_stop(completion, generation),
        prompt_tokens=completion.prompt_tokens,
        tokens=completion.generated,
        more=effort_of(completion, engine.tokenizer if generation.trace else None),
    )


async def ask(prompt: Prompt, generation: Generation, engine: Engine) -> Completion:
    """What the engine makes of a prompt.

    Raises:
        EngineFailure: there is no room for an answer, or the request failed.
        UserMistake: the prompt cannot be rendered.
    """
    as_chat = generation.chat_template or not isinstance(prompt.asked, str)
    seed = request_seed(
        generation.seed, "generate", prompt.prompt_id, 0, track="0", step=0, purpose="plain"
    )
    if as_chat and Ability.TOKEN_PROMPTS not in engine.abilities:
        most = min(generation.max_new_tokens, generation.max_length)
        return await engine.chat(prompt.messages, generation.sampling.request(most, seed))
    tokenizer = engine.tokenizer
    ids = tokenizer.encode(prompt.text_for(tokenizer, as_chat=as_chat))
    room = generation.max_length - len(ids)
    if room < 1:
        raise PromptTooLong(
            f"the prompt has {len(ids)} tokens and --max-length is {generation.max_length}: no "
            "room is left for an answer"
        )
    most = min(generation.max_new_tokens, room)
    return await engine.complete(ids, generation.sampling.request(most, seed))


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
