"""Answers of servers as they come: the same as whole ones, told piece by piece."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from fake_openai import ASKED, CHAT, GOOD, SPOKEN, Fake
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.masking import Secrets
from pipeline.engines.openai.event_stream import EventStream
from pipeline.errors import EngineDead, EngineFailure
from speclrm_testing.commands import speclrm

KEY = "sk-abcdefgh12345678"
NONE = Secrets.of()
USAGE = {"prompt_tokens": 4, "completion_tokens": 5}
END = {"text": "", "finish_reason": "stop", "stop_reason": None}
TEXTS = ["Süß", "e ", "😀", "\ud83d", "\ude00", "\n\n", "Ende"]
WHOLE = "Süße 😀😀\n\nEnde"


def events(*choices: dict, usage: object = USAGE, end: str = "data: [DONE]\n\n") -> str:
    told = [{"choices": [one]} for one in choices] + [{"choices": [], "usage": usage}]
    return ": ping\n\n" + "".join(f"data: {json.dumps(one)}\n\n" for one in told) + end


def texts(*pieces: str, end: dict = END) -> list[dict]:
    return [*({"text": one, "finish_reason": None} for one in pieces), end]


def streamed(fake: Fake, *bodies: str) -> None:
    fake.headers["Content-Type"] = "text/event-stream; charset=utf-8"
    fake.next += [(200, body) for body in bodies]


def hearing(heard: list[str]):
    return replace(ASKED, on_text=heard.append)


@given(st.lists(st.integers(0, 400)), st.sampled_from(["\n", "\r\n"]))
def test_an_answer_is_the_same_however_its_bytes_come(cuts, line_end):
    content = events(*texts(*TEXTS)).replace("\n", line_end).encode()
    heard: list[str] = []
    stream, at_once = EventStream(NONE, heard.append), EventStream(NONE)
    at_once.feed(content)
    places = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    for first, last in pairwise(places):
        stream.feed(content[first:last])
    assert stream.is_over
    assert stream.body() == at_once.body()
    assert stream.body()["choices"][0]["text"] == WHOLE == heard[-1]
    assert all(WHOLE.startswith(one) for one in heard)


async def test_a_streamed_completion_is_the_one_that_comes_whole(fake, start):
    engine = await start()
    whole = await engine.complete([1, 2], ASKED)
    heard: list[str] = []
    end = {"text": "7", "token_ids": [22], "finish_reason": "stop", "stop_reason": "\n\n"}
    streamed(fake, events(end, usage=GOOD["usage"]))
    pieces = await engine.complete([1, 2], hearing(heard))
    assert replace(pieces, seconds=0) == replace(whole, seconds=0)
    assert heard == ["7"]
    assert fake.seen[-1]["stream_options"] == {"include_usage": True}
    assert "stream" not in fake.seen[0]


async def test_thinking_and_answer_of_a_chat_are_put_together_as_they_come(fake, start):
    engine = await start(tokenizer=None)
    heard: list[str] = []
    deltas = [{"role": "assistant"}, {"reasoning_content": "a"}, {"content": "b"}, {"content": "c"}]
    choices = [{"delta": one, "finish_reason": None} for one in deltas]
    streamed(fake, events(*choices, {"delta": {}, "finish_reason": "length"}))
    done = await engine.chat(CHAT, hearing(heard))
    assert done.text == heard[-1] == "<think>\na\n</think>\n\nbc"
    assert heard[0] == "<think>\na"
    assert (done.finish_reason, done.generated, done.prompt_tokens) == ("length", 5, 4)


@pytest.mark.parametrize("knows", ["stream", ""])
async def test_a_server_that_does_not_stream_is_asked_as_it_likes(fake, start, knows):
    engine = await start()
    heard: list[str] = []

    def answer(asked: dict) -> tuple[int, str]:
        unknown = asked.keys() & {"stream", "stream_options"} - {knows}
        if unknown:
            return 422, f"Extra inputs are not permitted: {unknown}"
        return 200, events(*texts("7")) if knows else json.dumps(GOOD)

    fake.answer = answer
    if knows:
        fake.headers["Content-Type"] = "text/event-stream"
    done = [await engine.complete([1, 2], hearing(heard)) for _ in range(2)]
    assert [one.text for one in done] == ["7", "7"]
    assert heard == (["7", "7"] if knows else [])
    assert len(fake.seen) == (3 if knows else 4)


BROKEN = {
    "an error": (": x\n\ndata: " + json.dumps({"error": {"message": f"no {KEY}"}}) + "\n\n",
                 r"broke its answer off: no \*\*\*$"),
    "no JSON": ("data: {\n\n", "an event of the server's stream is none"),
    "no event": ('data: {"choices": 3}\n\n', "an event of the server's stream is none"),
    "deep": ("data: " + "[" * 100_000 + "\n\n", "an event of the server's stream is none"),
    "an endless line": ("data: " + "x" * 2**21, "has over 1,048,576 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_stream_that_is_none_is_a_failure(fake, start, monkeypatch, kind):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    engine = await start()
    body, why = BROKEN[kind]
    streamed(fake, events(*texts("a")[:1], end=body))
    with pytest.raises(EngineFailure, match=why):
        await engine.complete([1, 2], hearing([]))


@pytest.mark.parametrize(
    "secret", [KEY, KEY.upper(), "\\u0073k-abcdefgh12345678", "s k-" + KEY[3:]]
)
async def test_no_part_of_a_key_is_told(fake, start, monkeypatch, secret):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    engine, heard = await start(), list[str]()
    streamed(fake, events(*texts("is ", "so, ", *secret, "!")))
    done = await engine.complete([1, 2], hearing(heard))
    assert done.text == "is so, ***!"
    assert heard[-1] == "is so, "
    streamed(fake, events(*texts("is ", "so, s", "k-abc", " as ", "you said")))
    assert (await engine.complete([1, 2], hearing(heard))).text == "is so, sk-abc as you said"
    assert heard[-2:] == ["is so, sk-abc a", "is so, sk-abc as you said"]


async def test_a_stream_that_ends_too_early_is_asked_for_again_and_then_given_up(
    fake, start, waits
):
    engine = await start()
    cut = events(*texts("se")[:1], end="")
    streamed(fake, cut, events(*texts("seven")))
    heard: list[str] = []
    assert (await engine.complete([1, 2], hearing(heard))).text == "seven"
    assert heard == ["se", "seven"]
    streamed(fake, cut, cut, cut)
    with pytest.raises(EngineDead, match="ended before the answer did"):
        await engine.complete([1, 2], hearing(heard))


@pytest.mark.parametrize("end", ["data: [DONE]\n\n", "data: [DONE]", "data:[DONE]\r\n"])
async def test_a_stream_that_is_done_without_a_finish_reason_fails_at_once(fake, start, end):
    engine = await start()
    before = len(fake.seen)
    streamed(fake, events(*texts("seven")[:1], end=end))
    with pytest.raises(EngineFailure, match="names no finish_reason"):
        await engine.complete([1, 2], hearing([]))
    assert len(fake.seen) == before + 1


def test_generate_prints_a_stream_line_by_line_and_a_broken_one_is_an_error_row(
    fake, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    fake.tokens = False
    spoken = [{"delta": {"content": one}, "finish_reason": None} for one in ("u", "no\nd", "os")]
    end = {"delta": {}, "finish_reason": "stop"}
    broken = "data: " + json.dumps({"error": "out of memory"}) + "\n\n"
    answers = iter([events(*spoken, end), events(*spoken, end=broken)])

    def answer(asked: dict) -> tuple[int, str]:
        if not asked.get("stream"):
            return 200, json.dumps(SPOKEN)
        fake.headers["Content-Type"] = "text/event-stream"
        return 200, next(answers)

    fake.answer = answer
    said = speclrm(
        f"generate --engine openai --base-url {fake.url} --model m --use-chat-template "
        "--prompts one two --stream"
    )
    assert said.code == 1, said.err
    assert said.out.startswith("[0] uno\n[0] dos\n[1] uno\n")
    rows = [json.loads(line) for line in Path("inference_results.jsonl").read_text().splitlines()]
    assert [row["response"] for row in rows] == ["uno\ndos", None]
    assert "broke its answer off: out of memory" in rows[1]["error"]["message"]
