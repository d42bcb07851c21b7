"""Decoders at work, on models that are loaded once."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from pipeline.engines.launch import output_to
from pipeline.errors import EngineFailure
from pipeline.experiment import engine_identity
from pipeline.measuring.ask import Ask
from pipeline.measuring.asking import Asked
from pipeline.measuring.compiling import forget_compiled, graphs_compiled
from pipeline.measuring.config import Config
from pipeline.measuring.decoder import REFERENCE, Decoder
from pipeline.measuring.effective import Observer, what_was_ignored
from pipeline.measuring.gaps import gaps
from pipeline.measuring.loaded import Loaded, give_back, load
from pipeline.measuring.memory import MemoryMeter
from pipeline.measuring.passes import Pass
from pipeline.measuring.served import Served
from pipeline.measuring.support import QUANTIZED, combinations_of
from pipeline.measuring.written import Written
from pipeline.runs.runner import engine_of
from pipeline.runs.scheduler import Engines

MOST_TRIES = 3
"""How often a pass is made in which something is compiled after the warm-up."""


@dataclass(slots=True)
class Session:
    """Decoders that share loaded models, from the loading to the end."""

    asked: Asked
    log: Path
    loaded: Loaded | None = None
    served: Served | None = None
    effective: dict[str, dict[str, Any]] = field(default_factory=dict)
    loading: float | None = None

    async def make(self, decoder: Decoder, repeat: int, position: int, *, first: bool) -> Pass:
        """One pass; the calls before the first of a decoder are not measured.

        Neither is a pass in which torch compiles, where warm-up is asked for: it is made again.

        Raises:
            Exception: whatever the library raises.
        """
        config = self.asked.config
        calls = decoder.cut(self.asked.asks, config.batch_size)
        # The longest first: a cache of a fixed size, and what is compiled for it, fits the others.
        longest = sorted(calls, key=lambda call: -max(len(one.prompt) + one.room for one in call))
        warm_up: list[float] = []
        with output_to(self.log):
            for number in range(config.warm_up if first else 0):
                began = time.perf_counter()
                await self._write(decoder, longest[number % len(longest)], observed=number == 0)
                warm_up.append(time.perf_counter() - began)
            for _ in range(MOST_TRIES if config.warm_up else 1):
                graphs, meter = graphs_compiled(), self._meter(decoder)
                with meter.running():
                    written = [
                        await self._write(
                            decoder, call, observed=first and number == 0 and not warm_up
                        )
                        for number, call in enumerate(calls)
                    ]
                compiled = graphs_compiled() - graphs
                if not compiled:
                    break
        if first and decoder.name == REFERENCE and decoder.sampling(config).temperature == 0:
            written = [self._with_gaps(one) for one in written]
        self.forget()
        seconds = [*warm_up, *(one.times.seconds for one in written)]
        return Pass(
            decoder.name,
            repeat,
            position,
            calls=tuple(written),
            requested=requested(decoder, config, calls[0]),
            effective=self.effective[decoder.name],
            memory=asdict(meter.read()),
            compiled=compiled,
            loading=self.loading if first else None,
            first_call=seconds[0] if first else None,
            warm_up=tuple(warm_up) if first else None,
        )

    async def _write(self, decoder: Decoder, call: tuple[Ask, ...], *, observed: bool) -> Written:
        """Make a call; an observed one must be seen to do what it is asked.

        Raises:
            EngineFailure: a part was left out.
        """
        # A Ctrl-C is heard here, between two calls.
        await asyncio.sleep(0)
        config = self.asked.config
        if self.served is not None:
            written = await self.served.write(decoder, config, call)
            if decoder.needs_assistant and not written.times.guessed:
                raise EngineFailure("nothing shows that the assistant has guessed anything")
            self.effective[decoder.name] = self.served.effective(decoder, config)
            return written
        assert self.loaded is not None  # noqa: S101 - a session has one of the two
        if not observed:
            return self.loaded.write(decoder, config, call)
        observer = Observer(self.loaded.model)
        with observer.watching():
            written = self.loaded.write(decoder, config, call)
        did = observer.read()
        ignored = what_was_ignored(combinations_of(decoder, config)[-1], did, written.times)
        if ignored is not None and decoder.guesses != "lookup":
            raise EngineFailure(f"transformers left a part out without an error: {ignored}")
        self.effective[decoder.name] = asdict(did) | {
            "ignored": ignored,
            "threads": torch.get_num_threads(),
        }
        return written

    def _with_gaps(self, written: Written) -> Written:
        """How sure the model was of each token; not told where it cannot read the texts at once."""
        if self.loaded is None:
            return written
        model = self.loaded.model
        pairs = zip(written.asks, written.tokens, strict=True)
        try:
            found = tuple(gaps(model, ask.prompt, row) for ask, row in pairs)
        except RuntimeError:  # of memory, above all
            return written
        return replace(written, gaps=found)

    def forget(self) -> None:
        """Let go of what a pass has left in memory."""
        if self.loaded is not None:
            self.loaded.forget()

    def _meter(self, decoder: Decoder) -> MemoryMeter:
        if self.served is not None:
            return self.served.meter(self.asked.config)
        assert self.loaded is not None  # noqa: S101 - a session has one of the two
        return MemoryMeter(
            self.loaded.model, self.loaded.assistant if decoder.needs_assistant else None
        )


@contextlib.asynccontextmanager
async def session_of(
    decoders: tuple[Decoder, ...], asked: Asked, log: Path
) -> AsyncIterator[Session]:
    """A session for decoders of one station, with their models loaded for as long as it is open.

    Raises:
        Exception: whatever the library raises when it loads them.
    """
    serves = decoders[0].serves
    began = time.perf_counter()
    if serves is None:
        with output_to(log):
            session = Session(asked, log, loaded=load(asked.config))
        session.loading = time.perf_counter() - began
        try:
            yield session
        finally:
            session.loaded = None
            forget_compiled()
            give_back()
        return
    settings = replace(serves(asked.config), sampling=decoders[0].sampling(asked.config))
    engine = engine_of(settings, log, [])
    async with Engines({"target": engine}).running():
        loading = time.perf_counter() - began
        yield Session(asked, log, served=Served(engine), loading=loading)


def requested(decoder: Decoder, config: Config, call: tuple[Ask, ...]) -> dict[str, Any]:
    """What a decoder is asked to do, as its records say it; `call` is its first."""
    sampling = decoder.sampling(config)
    common = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "assistant": config.assistant_model if decoder.needs_assistant else None,
    }
    if decoder.way == "batched":
        common["batch_size"] = config.batch_size
    if decoder.serves is not None:
        return common | engine_identity(decoder.serves(config))
    extra = {} if decoder.asks is None else dict(decoder.asks(config, call))
    return {
        **common,
        **extra,
        "cache": config.cache_implementation if decoder.batch is None else "paged",
        "attention": config.attention_backend,
        "quantization": QUANTIZED if config.use_quantization else None,
        "dtype": config.dtype,
        "device": config.device,
        "num_assistant_tokens": config.num_assistant_tokens if decoder.needs_assistant else None,
        "assistant_confidence_threshold": config.assistant_confidence_threshold
        if decoder.needs_assistant
        else None,
    }
