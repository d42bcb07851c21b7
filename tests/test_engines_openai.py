"""The openai engine against a server that behaves: what it asks, and what it reads and refuses."""

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fake_openai import ASKED, CHAT, GOOD, SPOKEN, Fake, Start, chosen, counted

from pipeline.engines.openai import engine as openai
from pipeline.engines.openai.known_fields import NO_VALUE
from pipeline.engines.openai.wire import parse_answer
from pipeline.engines.protocol import Ability
from pipeline.engines.sampling import Sampling
from pipeline.errors import EngineDead, EngineFailure, PromptTooLong, RunStopped, UserMistake


async def test_vllm_gets_token_ids_and_gives_them_back(fake: Fake, start: Start) -> None:
    engine = await start()
    done = await engine.complete([1, 2, 3], replace(ASKED, stop=("\n\n",)))
    assert (done.token_ids, done.stop_string, done.prompt_tokens) == ((22,), "\n\n", 4)
    sent = fake.seen[0]
    assert (sent["prompt"], sent["seed"], sent["stop"]) == ([1, 2, 3], 3, ["\n\n"])
    assert sent["return_token_ids"] is True
    await engine.stop()


async def test_vllms_server_can_do_all_but_tell_tokens_as_they_come(start: Start) -> None:
    engine = await start()
    assert engine.abilities == set(Ability) - {Ability.STREAMING}
    await engine.stop()


async def test_digits_are_asked_for_and_read_by_token_id(fake: Fake, start: Start) -> None:
    engine = await start()
    top = {"token_id:15": -0.5, "token_id:16": -1.5}
    choice = {**GOOD["choices"][0], "logprobs": {"top_logprobs": [top]}}
    fake.good = {**GOOD, "choices": [choice]}
    done = await engine.complete([1], replace(ASKED, logprobs_of=(15, 16)))
    assert done.logprobs == {15: -0.5, 16: -1.5}
    assert (fake.seen[0]["logprobs"], fake.seen[0]["logprob_token_ids"]) == (2, [15, 16])
    await engine.stop()


async def test_another_server_gets_text_and_refuses_what_it_cannot_do(
    fake: Fake, start: Start
) -> None:
    fake.tokens = False
    engine = await start()
    await engine.complete(engine.tokenizer.encode("<|im_start|>a=7"), ASKED)
    assert fake.seen[0]["prompt"] == "<|im_start|>a=7"
    assert "return_token_ids" not in fake.seen[0]
    with pytest.raises(EngineFailure, match="cannot do: digit log-probabilities"):
        await engine.complete([1], replace(ASKED, logprobs_of=(15,)))
    await engine.stop()


async def test_without_a_tokenizer_there_is_only_chat(fake: Fake, start: Start) -> None:
    fake.tokens = False
    engine = await start(tokenizer=None)
    done = await engine.chat(CHAT, ASKED)
    assert (done.text, done.generated, done.token_ids) == ("7", 1, None)
    assert engine.abilities == frozenset()
    assert done.prompt_tokens == 9
    with pytest.raises(UserMistake, match="name it with --tokenizer"):
        _ = engine.tokenizer
    await engine.stop()


async def test_thinking_that_a_server_parts_off_is_put_back(fake: Fake, start: Start) -> None:
    engine = await start()
    message = {"content": "\\boxed{7}", "reasoning_content": "a is 7"}
    body = {"choices": [{"message": message, "finish_reason": "length"}]}
    fake.next = [(200, json.dumps(body))]
    done = await engine.chat(CHAT, ASKED)
    assert done.text == "<think>\na is 7\n</think>\n\n\\boxed{7}"
    assert done.finish_reason == "length"
    await engine.stop()


UNUSABLE: list[tuple[str, str]] = [
    (chosen(text=None), "text is null"),
    (chosen(text=7), "text"),
    (chosen(text=["7"]), "text"),
    (chosen(message={"content": None}), "content is null"),
    (chosen(message={"content": 7}), "content"),
    (chosen(token_ids="22"), "token_ids"),
    (chosen(token_ids=[-1]), "token_ids"),
    (chosen(token_ids=[True]), "token_ids"),
    (chosen(token_ids=[10**30]), "token_ids"),
    (chosen(finish_reason=None), "names no finish_reason"),
    (chosen(finish_reason=1), "finish_reason"),
    (counted(completion_tokens=-1), "completion_tokens"),
    (counted(completion_tokens=10**30), "completion_tokens"),
    (counted(completion_tokens=10**9), "completion_tokens"),
    (counted(completion_tokens="1"), "completion_tokens"),
    (counted(completion_tokens=1.5), "completion_tokens"),
    (counted(completion_tokens=True), "completion_tokens"),
    (counted(completion_tokens=math.nan), "completion_tokens"),
    (counted(prompt_tokens=math.inf), "prompt_tokens"),
    (counted(prompt_tokens=-5), "prompt_tokens"),
    (counted(prompt_tokens_details={"cached_tokens": -1}), "cached_tokens"),
    (counted(prompt_tokens_details={"cached_tokens": 5}), "cached_tokens is 5.* only 4"),
    (json.dumps(GOOD | {"usage": "none"}), "usage"),
    (chosen(token_ids=[22] * 9), "9 tokens where at most 8 were asked for"),
    (counted(completion_tokens=9), "9 tokens where at most 8 were asked for"),
    ("[" * 100_000, "is not JSON"),
    ('{"choices": 9' + "9" * 5000 + "}", "is not JSON"),
]


@pytest.mark.parametrize(("body", "field"), UNUSABLE, ids=[body[:90] for body, _ in UNUSABLE])
async def test_an_answer_with_what_is_none_is_a_failure_that_names_server_and_field(
    fake: Fake, start: Start, body: str, field: str
) -> None:
    engine = await start()
    fake.next = [(200, body)]
    with pytest.raises(EngineFailure, match=field) as told:
        await engine.complete([1], ASKED)
    assert fake.url in str(told.value)
    assert len(str(told.value)) < 500
    await engine.stop()


@pytest.mark.parametrize("value", [math.nan, "x", None, 2.0])
async def test_a_log_probability_that_is_none_is_a_failure(
    fake: Fake, start: Start, value: Any
) -> None:
    engine = await start()
    fake.next = [(200, chosen(logprobs={"top_logprobs": [{"token_id:15": value}]}))]
    with pytest.raises(EngineFailure, match="logprob"):
        await engine.complete([1], replace(ASKED, logprobs_of=(15,)))
    await engine.stop()


NOT_COUNTED: list[Any] = [
    None,
    {},
    {"prompt_tokens": None, "completion_tokens": None},
    {"prompt_tokens": 0, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 0}},
]


@pytest.mark.parametrize("usage", NOT_COUNTED)
async def test_tokens_that_a_server_does_not_count_are_unknown_and_not_none(
    fake: Fake, start: Start, usage: Any
) -> None:
    fake.tokens = False
    engine = await start(tokenizer=None)
    fake.next = [(200, json.dumps(SPOKEN | {"usage": usage}))]
    done = await engine.chat(CHAT, ASKED)
    assert (done.prompt_tokens, done.cached_prompt_tokens, done.generated) == (None, None, None)
    await engine.stop()


async def test_what_a_server_does_not_count_its_tokenizer_does(fake: Fake, start: Start) -> None:
    fake.tokens = False
    engine = await start()
    fake.next = [(200, json.dumps({"choices": [{"text": "a=7", "finish_reason": "length"}]}))]
    done = await engine.complete([1, 2], ASKED)
    assert (done.prompt_tokens, done.generated) == (2, 3)
    await engine.stop()


WRITES = "one=1 two\n\nthree"


def strips(asked: dict[str, Any]) -> str:
    """What is left of the model's text before the first stop string."""
    text = WRITES[: WRITES.index(asked["stop"][0])] if asked.get("stop") else WRITES
    return str(text)


def stripping(asked: dict[str, Any]) -> Any:
    return {"choices": [{"text": strips(asked), "finish_reason": "stop"}]}


def naming(asked: dict[str, Any]) -> Any:
    stop = asked.get("stop", [None])[0]
    return {"choices": [{"text": strips(asked), "finish_reason": "stop", "matched_stop": stop}]}


def keeping(asked: dict[str, Any]) -> Any:
    kept = strips(asked) + asked.get("stop", [""])[0]
    return {"choices": [{"text": kept, "finish_reason": "stop"}]}


def keeping_when_asked(asked: dict[str, Any]) -> Any:
    return keeping(asked) if asked.get("include_stop_str_in_output") else stripping(asked)


def running_on(asked: dict[str, Any]) -> Any:
    return {"choices": [{"text": WRITES, "finish_reason": "length"}]}


TELLING = [naming, keeping, keeping_when_asked, running_on]


@pytest.mark.parametrize("server", TELLING)
async def test_a_stop_string_is_told_from_the_end_of_the_text(
    fake: Fake, start: Start, server: Callable[[dict[str, Any]], Any]
) -> None:
    fake.tokens, fake.good = False, server
    engine = await start()
    assert Ability.STOP_STRING in engine.abilities
    done = await engine.complete([1], replace(ASKED, stop=("\n\n",)))
    assert (done.text, done.finish_reason, done.stop_string) == ("one=1 two", "stop", "\n\n")
    assert engine.tokenizer.decode(done.token_ids) == "one=1 two\n\n"
    fake.good = {"choices": [{"text": "the end", "finish_reason": "stop"}]}
    ended = await engine.complete([1], replace(ASKED, stop=("\n\n",)))
    assert (ended.text, ended.finish_reason, ended.stop_string) == ("the end", "stop", None)
    await engine.stop()


def refusing_the_field(asked: dict[str, Any]) -> Any:
    assert "include_stop_str_in_output" not in asked, "as a server with a strict schema would"
    return stripping(asked)


@pytest.mark.parametrize("server", [stripping, refusing_the_field])
async def test_a_server_that_hides_what_stopped_it_is_known_and_never_believed(
    fake: Fake, start: Start, server: Callable[[dict[str, Any]], Any]
) -> None:
    fake.tokens, fake.good = False, server
    engine = await start()
    assert Ability.STOP_STRING not in engine.abilities
    assert (await engine.complete([1], ASKED)).text == WRITES
    fake.good = stripping
    with pytest.raises(EngineFailure, match="does not say whether a stop string or the end of"):
        await engine.complete([1], replace(ASKED, stop=("\n\n",)))
    await engine.stop()


async def test_tokens_tell_the_stop_string_that_vllm_behind_a_proxy_does_not_name(
    fake: Fake, start: Start
) -> None:
    engine = await start()
    ids = engine.tokenizer.encode("a=7\n\n")
    fake.next = [(200, chosen(text="a=7", token_ids=ids, stop_reason=None))]
    done = await engine.complete([1], replace(ASKED, stop=("\n\n",)))
    assert (done.text, done.stop_string, done.token_ids) == ("a=7", "\n\n", tuple(ids))
    await engine.stop()


async def test_a_short_key_masks_no_words_of_the_model(
    fake: Fake, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    engine = await start()
    fake.next = [(200, chosen(text="the EMPTY set")), (400, "EMPTY")]
    assert (await engine.complete([1], ASKED)).text == "the EMPTY set"
    with pytest.raises(EngineFailure, match=r"answers 400: \*\*\*$"):
        await engine.complete([1], ASKED)
    await engine.stop()


async def test_a_count_that_no_request_can_have_is_told_by_its_field(
    fake: Fake, start: Start
) -> None:
    engine = await start()
    usage = {"prompt_tokens": 90_000_000, "completion_tokens": 99_999_999}
    fake.next = [(200, json.dumps({"choices": [{"text": "4"}], "usage": usage}))]
    with pytest.raises(EngineFailure, match=r"usage\.(prompt|completion)_tokens"):
        await engine.complete([1], ASKED)
    await engine.stop()


async def test_a_prompt_longer_than_the_context_is_not_sent(fake: Fake, start: Start) -> None:
    engine = await start()
    with pytest.raises(PromptTooLong, match="100 tokens and the model's context 100"):
        await engine.complete([1] * 100, ASKED)
    assert fake.seen == []
    await engine.stop()


async def test_a_server_that_hangs_is_given_up_in_time(fake: Fake, start: Start) -> None:
    engine = await start()
    engine._policy = replace(engine._policy, seconds=0.2)
    fake.hang = True
    with pytest.raises(EngineFailure, match=r"not finished within 0\.2 s and was cancelled; raise"):
        await engine.complete([1], ASKED)
    await engine.stop()


async def test_an_answer_that_comes_in_drips_is_given_up_in_time_and_not_asked_for_again(
    fake: Fake, start: Start
) -> None:
    engine = await start()
    engine._policy = replace(engine._policy, seconds=0.3)
    fake.drip = True
    with pytest.raises(EngineFailure, match=r"not finished within 0\.3 s"):
        await engine.complete([1], ASKED)
    assert len(fake.seen) == 1
    await engine.stop()


async def test_a_server_that_hangs_is_dead(
    fake: Fake, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai, "HEALTH_SECONDS", 0.2)
    engine = await start()
    fake.hang = True
    with pytest.raises(EngineDead, match="does not answer"):
        await engine.health()
    await engine.stop()


def test_half_a_surrogate_pair_in_an_answer_becomes_a_question_mark() -> None:
    body = {"choices": [{"text": "so \ud835 it is", "finish_reason": "stop"}]}
    assert parse_answer(body, ASKED).text == "so ? it is"


FURTHER = {"top_k": 40, "min_p": 0.1, "presence_penalty": 0.5, "repetition_penalty": 1.1}


async def test_vllm_is_told_what_is_set_and_no_default_of_the_model_stands_for_the_rest(
    fake: Fake, start: Start
) -> None:
    fake.answer = Validating(*FURTHER)
    engine = await start(sampling=Sampling(**FURTHER))
    await engine.complete([1], replace(ASKED, **FURTHER))
    await engine.complete([1], ASKED)
    await engine.chat(CHAT, replace(ASKED, top_k=5))
    told = [{name: sent.get(name) for name in FURTHER} for sent in fake.seen]
    neutral = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": None}
    assert told == [FURTHER, neutral, neutral | {"top_k": 5}]
    await engine.stop()


class Validating:
    """A server that knows some fields: it refuses a text for them, or only others' names."""

    def __init__(self, *known: str, strict: bool = False) -> None:
        self.known = known
        self.strict = strict

    def __call__(self, asked: dict[str, Any]) -> Any:
        for name in FURTHER:
            given = name in asked
            if given and isinstance(asked[name], str) and name in self.known:
                return 400, f"{name} is no number"
            if given and self.strict and name not in self.known:
                return 400, f"Unknown parameter: {name}"
        return 200, json.dumps(naming(asked))


@pytest.mark.parametrize("tokenizer", [True, False], ids=["text", "chat"])
async def test_a_server_that_knows_the_fields_is_sent_them(
    fake: Fake, start: Start, tokenizer: bool
) -> None:
    fake.tokens, fake.answer = False, Validating(*FURTHER)
    named = {} if tokenizer else {"tokenizer": None}
    engine = await start(sampling=Sampling(**FURTHER), **named)
    ask = engine.complete([1], replace(ASKED, **FURTHER)) if tokenizer else None
    await (ask or engine.chat(CHAT, replace(ASKED, **FURTHER)))
    assert {name: fake.seen[-1][name] for name in FURTHER} == FURTHER
    await engine.stop()


@pytest.mark.parametrize("unknown", FURTHER)
@pytest.mark.parametrize(
    ("strict", "complaint"),
    [
        (True, r"the server refuses {0}={1} \(Unknown parameter: {0}\); drop --{2} \(of a draft"),
        (False, "the server takes no notice of {0}: it accepts 'no value of this field' for it"),
    ],
)
async def test_what_a_server_does_not_know_is_refused_by_name_before_the_run(
    fake: Fake, start: Start, unknown: str, strict: bool, complaint: str
) -> None:
    fake.tokens = False
    fake.answer = Validating(*(FURTHER.keys() - {unknown}), strict=strict)
    flag = unknown.replace("_", "-")
    with pytest.raises(UserMistake, match=complaint.format(unknown, FURTHER[unknown], flag)):
        await start(sampling=Sampling(**{unknown: FURTHER[unknown]}))


async def test_a_setting_that_is_met_first_in_a_request_is_asked_about_once(
    fake: Fake, start: Start
) -> None:
    fake.tokens, fake.answer = False, Validating("top_k")
    engine = await start()
    await asyncio.gather(*(engine.complete([1], replace(ASKED, top_k=5)) for _ in range(3)))
    assert [sent.get("top_k") for sent in fake.seen] == [5, NO_VALUE, 5, 5, 5]
    with pytest.raises(EngineFailure, match="takes no notice of min_p"):
        await engine.complete([1], replace(ASKED, min_p=0.1))
    await engine.stop()


async def test_a_server_that_is_not_asked_for_more_is_not_asked_whether_it_knows_it(
    fake: Fake, start: Start
) -> None:
    fake.tokens, fake.answer = False, Validating(strict=True)
    await (await start()).stop()


def wanting_another_limit(asked: dict[str, Any]) -> Any:
    if "max_tokens" in asked:
        return 400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    return 200, json.dumps(SPOKEN)


async def test_a_server_that_refuses_max_tokens_gets_max_completion_tokens_from_then_on(
    fake: Fake, start: Start
) -> None:
    fake.tokens, fake.answer = False, wanting_another_limit
    engine = await start(tokenizer=None)
    await engine.chat(CHAT, ASKED)
    [sent] = fake.seen
    assert (sent.get("max_tokens"), sent["max_completion_tokens"]) == (None, ASKED.max_tokens)
    await engine.stop()


async def test_a_server_that_refuses_both_names_of_the_limit_is_asked_twice_and_told_of(
    fake: Fake, start: Start
) -> None:
    fake.tokens = False
    fake.answer = lambda _asked: (400, "neither max_tokens nor max_completion_tokens")
    with pytest.raises(RunStopped, match="neither max_tokens nor max_completion_tokens"):
        await start(tokenizer=None)
    assert len(fake.seen) == 2
