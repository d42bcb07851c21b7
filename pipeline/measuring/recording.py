"""A decoder's completions of problems as an ordinary run, graded and compared as any other."""

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from pipeline.engines.protocol import (
    Ability,
    Completion,
    Computed,
    Message,
    ModelFacts,
    SamplingRequest,
    Tokenizer,
)
from pipeline.errors import EngineFailure
from pipeline.generating.answers import Answer, Stop
from pipeline.measuring.asking import Asked, experiment_of, facts_of
from pipeline.measuring.decoder import Decoder
from pipeline.measuring.passes import Record, times_of
from pipeline.measuring.written import own_work
from pipeline.records import Attempt
from pipeline.runs.directory import replace_file
from pipeline.runs.planning import plan
from pipeline.runs.runner import opened, taken_back_on_error
from pipeline.runs.scheduler import Engines, run_attempts


@dataclass(frozen=True, slots=True)
class Recorded:
    """An engine that gives back what a decoder wrote, by the request's seed."""

    by_seed: Mapping[int, Completion]
    known: ModelFacts
    words: Tokenizer

    @property
    def abilities(self) -> frozenset[Ability]:
        """All that a baseline needs."""
        return frozenset(Ability)

    @property
    def facts(self) -> ModelFacts:
        """Those of the model that wrote."""
        return self.known

    @property
    def tokenizer(self) -> Tokenizer:
        """That of the model that wrote."""
        return self.words

    async def start(self) -> None:
        """Nothing is loaded."""

    async def complete(
        self,
        prompt_token_ids: Sequence[int],  # noqa: ARG002 - the seed says which request it is
        sampling: SamplingRequest,
    ) -> Completion:
        """What was written for the request."""
        found = self.by_seed.get(sampling.seed)
        if found is None:
            raise EngineFailure("the decoder wrote nothing for this request")
        return found

    async def chat(self, messages: Sequence[Message], sampling: SamplingRequest) -> Completion:
        """Nobody asks so."""
        raise EngineFailure(f"there is no answer to {len(messages)} messages ({sampling.seed})")

    async def health(self) -> None:
        """Always well."""

    async def stop(self) -> None:
        """Nothing is there to be stopped."""


async def record_run(asked: Asked, decoder: Decoder, record: Record, directory: Path) -> None:
    """Write a pass as the run directory that `speclrm run baseline` would have written.

    An attempt has the seconds of its completion, and the time at which that was begun.

    Raises:
        UserMistake: the directory holds another run.
        RunStopped: the disk failed.
    """
    experiment = experiment_of(asked.config, decoder)
    planned = replace(
        plan(experiment, directory, None if asked.problems is None else asked.problems.problems),
        more={"decoder": {"name": decoder.name, **record["requested"]}},
    )
    facts = facts_of(asked, decoder, record["effective"].get("dtype"))
    completions = {
        seed: one for call in record["calls"] for seed, one in completed(call, asked.tokenizer)
    }
    began = {
        (row["prompt"], row["completion"]): call["began"]
        for call in record["calls"]
        for row in call["rows"]
    }
    engines = Engines({"target": Recorded(completions, facts, asked.tokenizer)})
    with opened(planned) as run:
        if not run.progress.total:
            run.widen()
            return
        async with contextlib.AsyncExitStack() as stack:
            with taken_back_on_error(run.directory):
                run.check(engines)
            attempts = await stack.enter_async_context(run.begun(engines))

            async def keep(attempt: Attempt) -> None:
                steps = [step for track in attempt.tracks for step in track.steps]
                seconds = round(sum(step.seconds or 0 for step in steps), 6)
                started = began.get(attempt.key, attempt.started)
                await attempts.record(replace(attempt, seconds=seconds, started=started))

            run.progress.begin()
            await run_attempts(
                replace(attempts, record=keep),
                planned.asked.missing(run.kept),
                run.progress,
                asyncio.Event(),
            )


def completed(call: Record, tokenizer: Tokenizer) -> Iterator[tuple[int, Completion]]:
    """The completions of a recorded call by their seeds.

    What was computed beside their own tokens, for padding, for beams and for guesses that were
    refused, is divided among them. Which forwards of a call were for which of several is not known.
    """
    times, rows = times_of(call), call["rows"]
    own = [
        own_work(row["prompt_tokens"], row["cached_prompt_tokens"], len(row["token_ids"]))
        for row in rows
    ]
    refused = _shares(times.target_work, own, len(rows))
    assisted = _shares(times.assistant_work, [], len(rows))
    alone = len(rows) == 1
    latencies = times.latencies or (times.seconds,) * len(rows)
    for row, seconds, more, guessed in zip(rows, latencies, refused, assisted, strict=True):
        ids = tuple(row["token_ids"])
        yield (
            row["seed"],
            Completion(
                text=tokenizer.decode(ids),
                token_ids=ids,
                finish_reason="stop" if ids and ids[-1] in tokenizer.eos_ids else "length",
                stop_string=None,
                prompt_tokens=row["prompt_tokens"],
                cached_prompt_tokens=row["cached_prompt_tokens"],
                seconds=seconds,
                refused=more,
                assisted=guessed,
                forwards=times.target_forwards if alone else None,
                assistant_forwards=times.assistant_forwards if alone else None,
            ),
        )


def _shares(work: Computed | None, own: Sequence[Computed], rows: int) -> list[Computed | None]:
    """What of some work is not `own`, divided among the rows; None where there is nothing."""
    if work is None:
        return [None] * rows
    rest = [
        max(0, whole - sum(parts))
        for whole, *parts in zip(astuple(work), *map(astuple, own), strict=True)
    ]
    if not any(rest):
        return [None] * rows
    return [
        Computed(*(number // rows + (row < number % rows) for number in rest))
        for row in range(rows)
    ]


def record_answers(asked: Asked, record: Record, file: Path) -> None:
    """Write a pass as a file of answers, as `speclrm generate` writes them; one there stays.

    Raises:
        RunStopped: the disk failed.
    """
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    by_id = {one.prompt_id: one for one in asked.config.prompts}
    written = {
        (row["prompt"], row["completion"]): one
        for call in record["calls"]
        for row, (_, one) in zip(call["rows"], completed(call, asked.tokenizer), strict=True)
    }
    lines = []
    for key, one in written.items():
        prompt_id, completion = key
        full = (one.generated or 0) >= asked.config.max_new_tokens
        ended: Stop = (
            "end" if one.finish_reason == "stop" else "max_new_tokens" if full else "context"
        )
        prompt = replace(by_id[prompt_id], prompt_id=f"{prompt_id}/{completion}")
        answer = Answer(
            prompt,
            round(one.seconds, 6),
            response=one.text,
            stop=ended,
            prompt_tokens=one.prompt_tokens,
            tokens=one.generated,
            more={"prompt_id": prompt_id, "completion": completion},
        )
        lines.append(json.dumps(answer.record, ensure_ascii=False) + "\n")
    replace_file(file, "".join(lines).encode())
