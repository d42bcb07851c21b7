"""Decoders at work, on models that are loaded once."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.engines.launch import output_to
from pipeline.measuring.ask import Ask
from pipeline.measuring.asking import Asked
from pipeline.measuring.config import Config
from pipeline.measuring.decoder import Decoder
from pipeline.measuring.loaded import Loaded, load
from pipeline.measuring.memory import MemoryMeter
from pipeline.measuring.passes import Pass
from pipeline.measuring.served import Served
from pipeline.measuring.written import Written
from pipeline.runs.runner import engine_of
from pipeline.runs.scheduler import Engines


@dataclass(slots=True)
class Session:
    """Decoders that share loaded models, from the loading to the end."""

    asked: Asked
    log: Path
    loaded: Loaded | None = None
    served: Served | None = None

    async def make(self, decoder: Decoder, repeat: int, position: int, *, first: bool) -> Pass:
        """One pass; the calls before the first of a decoder are not measured.

        Raises:
            Exception: whatever the library raises.
        """
        config = self.asked.config
        calls = decoder.cut(self.asked.asks, config.batch_size)
        warm_up: list[float] = []
        with output_to(self.log):
            for number in range(config.warm_up if first else 0):
                began = time.perf_counter()
                await self._write(decoder, calls[number % len(calls)])
                warm_up.append(time.perf_counter() - began)
            memory = None
            meter = self._meter(decoder)
            with meter.running() if meter is not None else contextlib.nullcontext():
                written = [await self._write(decoder, call) for call in calls]
            if meter is not None:
                memory = asdict(meter.read())
        self.forget()
        seconds = [*warm_up, *(one.times.seconds for one in written)]
        return Pass(
            decoder.name,
            repeat,
            position,
            calls=tuple(written),
            requested=requested(decoder, config),
            effective=self._effective(decoder),
            memory=memory,
            first_call=seconds[0] if first else None,
            warm_up=tuple(warm_up) if first else None,
        )

    async def _write(self, decoder: Decoder, call: tuple[Ask, ...]) -> Written:
        # A Ctrl-C is heard here, between two calls.
        await asyncio.sleep(0)
        config = self.asked.config
        if self.served is not None:
            return await self.served.write(decoder, config, call)
        assert self.loaded is not None  # noqa: S101 - a session has one of the two
        return self.loaded.write(decoder, config, call)

    def forget(self) -> None:
        """Let go of what a pass has left in memory."""
        if self.loaded is not None:
            self.loaded.forget()

    def _meter(self, decoder: Decoder) -> MemoryMeter | None:
        if self.loaded is None:
            return None
        return MemoryMeter(
            self.loaded.model, self.loaded.assistant if decoder.needs_assistant else None
        )

    def _effective(self, decoder: Decoder) -> dict[str, Any]:
        if self.loaded is not None:
            model = self.loaded.model
            return {
                "dtype": self.loaded.facts.dtype,
                "device": str(model.device),
                "attention": model.config._attn_implementation,  # noqa: SLF001 - said nowhere else
            }
        assert self.served is not None  # noqa: S101
        return {"dtype": self.served.engine.facts.dtype, "engine": decoder.name}


@contextlib.asynccontextmanager
async def session_of(
    decoders: tuple[Decoder, ...], asked: Asked, log: Path
) -> AsyncIterator[Session]:
    """A session for decoders of one station, with their models loaded for as long as it is open.

    Raises:
        Exception: whatever the library raises when it loads them.
    """
    serves = decoders[0].serves
    if serves is None:
        with output_to(log):
            loaded = load(asked.config)
        session = Session(asked, log, loaded=loaded)
        try:
            yield session
        finally:
            session.loaded = None
            loaded.forget()
        return
    settings = replace(serves(asked.config), sampling=decoders[0].sampling(asked.config))
    engine = engine_of(settings, log, lambda _seconds: None)
    async with Engines({"target": engine}).running():
        yield Session(asked, log, served=Served(engine))


def requested(decoder: Decoder, config: Config) -> dict[str, Any]:
    """What a decoder is asked to do, as its records say it."""
    sampling = decoder.sampling(config)
    common: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "batch_size": config.batch_size,
        "cache": config.cache_implementation,
        "attention": config.attention_backend,
        "quantization": "4-bit" if config.use_quantization else None,
        "dtype": config.dtype,
        "device": config.device,
        "assistant": config.assistant_model if decoder.needs_assistant else None,
    }
    return common
