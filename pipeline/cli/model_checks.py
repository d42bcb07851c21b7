"""The doctor's checks of a model: its tokenizer, its chat template, and a real answer."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.cli.findings import Finding, State
from pipeline.engines import create, entry
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.protocol import SamplingRequest, Tokenizer
from pipeline.engines.settings import EngineSettings
from pipeline.reasoners.opening import THINK_CLOSE, THINK_OPEN, open_chain

THOUGHT = "a thought that must stay"


def model_findings(engine: str, model: str) -> Iterator[Finding]:
    """The tokenizer and the chat template of a model."""
    settings = with_model_folder(EngineSettings(engine, model))
    tokenizer = entry(engine).read_tokenizer(settings)
    if tokenizer is None:
        yield Finding(State.OK, "tokenizer", f"{model} has one that {engine} alone knows")
        return
    yield Finding(State.OK, "tokenizer", f"{model} loads")
    yield digits_finding(tokenizer)
    yield thinking_finding(tokenizer)


def digits_finding(tokenizer: Tokenizer) -> Finding:
    """Whether each digit is one token: a score is read from one token's distribution."""
    split = [digit for digit in "0123456789" if len(tokenizer.encode(digit)) != 1]
    if split:
        advice = "this model cannot score steps; use another target for spec"
        return Finding(State.WARNING, "digits", f"not single tokens: {' '.join(split)}", advice)
    return Finding(State.OK, "digits", "each is one token")


def thinking_finding(tokenizer: Tokenizer) -> Finding:
    """Whether thinking text of an earlier turn survives the chat template."""
    answer = f"{THINK_OPEN}\n{THOUGHT}\n{THINK_CLOSE}\n\ndone"
    rendered = tokenizer.render_chat(
        [
            {"role": "user", "content": "question"},
            {"role": "assistant", "content": answer},
            {"role": "user", "content": "next question"},
        ]
    )
    if THOUGHT in rendered:
        return Finding(State.OK, "chat template", "keeps thinking text")
    advice = "harmless here: reasoners continue token ids and never send thinking text as a turn"
    return Finding(State.WARNING, "chat template", "drops thinking text of earlier turns", advice)


def engine_starts(engine: str, model: str) -> Iterator[Finding]:
    """Whether the engine starts and answers."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "engine.log"
        settings = EngineSettings(engine, model, log=log)
        text = asyncio.run(_one_answer(with_model_folder(settings)))
    yield Finding(State.OK, f"engine {settings.engine}", f"starts and answers ({text!r})")


async def _one_answer(settings: EngineSettings) -> str:
    engine = create(settings)
    try:
        await engine.start()
        prompt = open_chain(engine.tokenizer, "Let a=1, b=a+1. Find b.", "auto")
        sampling = SamplingRequest(max_tokens=8, temperature=0.0, top_p=1.0, seed=0)
        return (await engine.complete(prompt, sampling)).text
    finally:
        await engine.stop()
