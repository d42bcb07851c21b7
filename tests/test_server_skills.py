"""What a server can do follows from what it answers: not from its name, nor from its product."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fake_openai import ASKED, CHAT, SKILLED, Fake, Start

from pipeline.engines.masking import Secrets
from pipeline.engines.openai.skills import CHOSEN, PROBE, Skills, skills_of
from pipeline.engines.protocol import Ability
from pipeline.errors import EngineFailure, RunStopped, UserMistake

ALL = Skills(takes_ids=True, tells_ids=True, tells_logprobs=True)
TEXTS_ONLY = Skills()
[SPOKEN] = SKILLED["choices"]


def saying(**choice: Any) -> Any:
    return SKILLED | {"choices": [SPOKEN | choice]}


def logprobs(tokens: Any, value: Any = -1.0) -> Any:
    return {"top_logprobs": [{f"token_id:{one}": value for one in tokens}]}


ANSWERS: dict[str, tuple[int, Any, Skills]] = {
    "all": (200, SKILLED, ALL),
    "no log-probabilities": (200, saying(logprobs=None), Skills(True, True, False)),
    "those of the likeliest tokens": (
        200,
        saying(logprobs=logprobs([1, 2, 3])),
        Skills(True, True, False),
    ),
    "all but one": (200, saying(logprobs=logprobs(CHOSEN[1:])), Skills(True, True, False)),
    "no numbers": (200, saying(logprobs=logprobs(CHOSEN, "x")), Skills(True, True, False)),
    "no ids of what it writes": (200, saying(token_ids=None), Skills(True, False, True)),
    "an empty list of ids": (200, saying(token_ids=[]), Skills(True, False, True)),
    "the list read as a text": (
        200,
        SKILLED | {"usage": {"prompt_tokens": 21, "completion_tokens": 1}},
        Skills(False, True, True),
    ),
    "prompts that nobody counts": (200, SKILLED | {"usage": None}, Skills(False, True, True)),
    "a chat": (200, {"choices": [{"message": {"content": "7"}}]}, TEXTS_ONLY),
    "more tokens than one": (200, saying(token_ids=[1, 2]), TEXTS_ONLY),
    "no choices": (200, {"choices": []}, TEXTS_ONLY),
    "a list": (200, [], TEXTS_ONLY),
    "a text": (200, "7", TEXTS_ONLY),
    "a prompt must be a text": (400, "a prompt is a text", TEXTS_ONLY),
    "an unknown field": (422, "Unknown parameter: return_token_ids", TEXTS_ONLY),
    "no such path": (404, "Not Found", TEXTS_ONLY),
    "a failure": (500, "Internal Server Error", TEXTS_ONLY),
}


async def shown(*answers: tuple[int, Any]) -> tuple[Skills, list[dict[str, Any]]]:
    """What these answers to its questions show of a server, and the questions."""
    asked: list[dict[str, Any]] = []

    async def ask(body: dict[str, Any]) -> httpx.Response:
        asked.append(body)
        status, said = answers[len(asked) - 1]
        return httpx.Response(status, text=said if isinstance(said, str) else json.dumps(said))

    return await skills_of(ask, "m", replace(ASKED, max_tokens=1), Secrets.of(None)), asked


@pytest.mark.parametrize(("status", "said", "skills"), ANSWERS.values(), ids=ANSWERS)
async def test_one_answer_shows_what_a_server_can_do(status: int, said: Any, skills: Any) -> None:
    found, [asked] = await shown((status, said))
    assert found == skills
    assert (asked["prompt"], asked["max_tokens"]) == (PROBE, 1)
    assert (asked["logprob_token_ids"], asked["return_token_ids"]) == (list(CHOSEN), True)


async def test_an_answer_that_is_not_json_shows_nothing() -> None:
    assert (await shown((200, "<html>"), (200, "<html>")))[0] == TEXTS_ONLY


async def test_a_server_that_refuses_so_many_log_probabilities_is_asked_again_without() -> None:
    refusal = (400, "Requested sample logprobs of 10, which is greater than max allowed: 5")
    found, [_, again] = await shown(refusal, (200, saying(logprobs=None)))
    assert found == Skills(takes_ids=True, tells_ids=True)
    assert "logprobs" not in again


@pytest.mark.parametrize("name", ["vllm", "organization-owner", None])
@pytest.mark.parametrize("tokens", [True, False], ids=["as vLLM", "texts only"])
async def test_the_name_of_a_servers_owner_says_nothing(
    fake: Fake, start: Start, name: str | None, tokens: bool
) -> None:
    fake.tokens = tokens
    fake.models = (200, json.dumps({"data": [{"id": "m", "owned_by": name}]}))
    engine = await start()
    assert (Ability.DIGIT_LOGPROBS in engine.abilities) is tokens
    await engine.complete(engine.tokenizer.encode("a=7"), ASKED)
    assert isinstance(fake.seen[-1]["prompt"], list) is tokens
    assert ("return_token_ids" in fake.seen[-1]) is tokens
    await engine.chat(CHAT, ASKED)
    assert ("return_token_ids" in fake.seen[-1]) is tokens
    await engine.stop()


async def test_the_context_of_ray_serve_is_read_where_it_says_it(fake: Fake, start: Start) -> None:
    """The listing is that of Ray Serve LLM 2.60."""
    card = {
        "id": "m",
        "object": "model",
        "owned_by": "organization-owner",
        "permission": [],
        "metadata": {"model_id": "m", "max_request_context_length": 1024},
    }
    fake.models = (200, json.dumps({"data": [card], "object": "list"}))
    engine = await start()
    assert engine.facts.context == 1024
    assert engine.abilities == set(Ability) - {Ability.STREAMING}
    await engine.stop()


async def test_a_server_that_does_not_say_its_tokenizer_is_asked_by_chats(
    fake: Fake, start: Start
) -> None:
    engine = await start(tokenizer=None)
    assert engine.skills == ALL
    assert Ability.TOKEN_PROMPTS not in engine.abilities
    await engine.chat(CHAT, ASKED)
    await engine.stop()


async def test_a_server_that_is_too_busy_to_show_what_it_can_do_is_not_taken_for_a_lesser_one(
    fake: Fake, start: Start, waits: list[float]
) -> None:
    fake.probe = (503, "loading")
    with pytest.raises(RunStopped, match=r"gives no text: the server answers 503, .*loading"):
        await start()
    assert sum(waits) > 0


async def test_a_tokenizer_by_which_the_servers_tokens_are_another_text_is_refused(
    fake: Fake, start: Start
) -> None:
    engine = await start()
    ids = engine.tokenizer.encode
    await engine.stop()

    def read_by(shift: int) -> Any:
        def answer(body: dict[str, Any]) -> Any:
            read = [one + shift for one in ids(str(body["prompt"]))]
            return 200, json.dumps(saying(prompt_token_ids=read))

        return answer

    fake.answer = read_by(0)
    await (await start()).stop()
    fake.answer = read_by(1)
    with pytest.raises(UserMistake, match=r"not that of the server's model: what the server reads"):
        await start()


async def test_a_refusal_for_want_of_room_says_how_to_tell_the_context(
    fake: Fake, start: Start
) -> None:
    engine = await start()
    fake.next = [(400, "max_tokens=8192 cannot be greater than max_model_len=1024.")]
    with pytest.raises(EngineFailure, match=r"max_model_len=1024\.; say how .* --max-model-len$"):
        await engine.complete([1], ASKED)
    await engine.stop()
