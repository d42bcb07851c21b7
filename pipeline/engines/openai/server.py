"""Probing an OpenAI-compatible server: whether it is up, and what it says of its models."""

import asyncio
import contextlib
import difflib
import ipaddress
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.request import getproxies

import httpx

from pipeline.engines.facts import read_facts
from pipeline.engines.limits import TooSlow
from pipeline.engines.masking import (
    KEY_VARIABLE,
    Secrets,
    addresses_in,
    api_key,
    credentials_of,
    shown_address,
)
from pipeline.engines.model_files import looks_like_path
from pipeline.engines.openai.http_retry import Call, RetryPolicy, Unreachable, send
from pipeline.engines.openai.wire import MAX_TOKENS, reason_of
from pipeline.engines.protocol import ModelFacts
from pipeline.engines.settings import EngineSettings
from pipeline.errors import EngineFailure, NotThere, RunStopped, UserMistake

CONNECT_SECONDS = 5.0
# A server that is down is reported well within the half minute that a user is willing to wait.
START_POLICY = RetryPolicy(tries=3, seconds=8.0, patience=8.0)
START_SECONDS = 28.0
"""How long all of its start may take, for the same reason."""
LAST_PORT = 2**16 - 1
PROBED = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 30),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 10),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 60_000),
)
"""An answer may take minutes in which nothing is sent. The system asks meanwhile whether the other
end is there: of a machine that is lost nothing else tells, and what stands between two machines
forgets connections that are silent.
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answered, and what it says of the model."""

    base_url: str
    context: int | None
    root: str | None


def base_url_of(settings: EngineSettings) -> str:
    """The address up to /v1, without its `user:password@`.

    Raises `UserMistake` when none was given, or what was given is none.
    """
    url = _address(settings).copy_with(username=None, password=None)
    base = str(url).rstrip("/")
    return base if base.endswith("/v1") else f"{base}/v1"


def check_address(settings: EngineSettings) -> None:
    """Raise `UserMistake` for an address that is none; they may still be missing."""
    for address in addresses_in(settings.base_url):
        _address(replace(settings, base_url=address))


def _address(settings: EngineSettings) -> httpx.URL:
    """The address as it was given."""
    given = settings.base_url
    if not given:
        raise UserMistake(
            "the engine openai needs the server's address; give --base-url, for example "
            "http://127.0.0.1:8000/v1"
        )
    shown = shown_address(given)
    if not given.startswith(("http://", "https://")):
        raise UserMistake(
            f"the base URL {shown!r} must begin with http:// or https://; correct --base-url"
        )
    wrong = UserMistake(
        f"the base URL {shown!r} is not the address of a server; give --base-url host, port and "
        "path, for example http://127.0.0.1:8000/v1"
    )
    try:
        url = httpx.URL(given)
    except httpx.InvalidURL:
        raise wrong from None  # its words may hold a piece of a password
    if not url.host or not 0 < (url.port or 1) <= LAST_PORT or url.query or url.fragment:
        raise wrong
    return url


def make_client(settings: EngineSettings) -> httpx.AsyncClient:
    """A client with the key of the environment, or with the user and password of the address.

    It has unlimited connections and no other state. How long a request may take its caller says.
    """
    url, key = _address(settings), api_key()
    if key is not None and not (key.isascii() and key.isprintable()):
        raise UserMistake(
            f"the key in {KEY_VARIABLE} contains a character that no key can have; set it again"
        )
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    # A proxy of the environment must not stand between us and this machine.
    trusts = not _is_loopback(url.host)
    own: httpx.AsyncHTTPTransport | None = None
    if not (trusts and getproxies()):  # through which httpx goes by connections of its own
        there = [one for one in PROBED if hasattr(socket, one[1])]
        options = [(level, getattr(socket, name), value) for level, name, value in there]
        own = httpx.AsyncHTTPTransport(trust_env=trusts, limits=limits, socket_options=options)
    named = bool(credentials_of(settings.base_url or ""))
    return httpx.AsyncClient(
        headers={"Authorization": f"Bearer {key}"} if key else {},
        auth=httpx.BasicAuth(url.username, url.password) if named else None,
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        limits=limits,
        transport=own,
        trust_env=trusts,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def meet(client: httpx.AsyncClient, settings: EngineSettings) -> Server:
    """Ask the server what it serves.

    Raises `NotThere` when it is down, `UserMistake` when it does not serve the model, `RunStopped`
    when it fails.
    """
    base = base_url_of(settings)
    return served(await models_of(client, settings), base, settings.model)


async def models_of(client: httpx.AsyncClient, settings: EngineSettings) -> httpx.Response:
    """The server's answer to the question for its models.

    Raises `NotThere` when it is down, `UserMistake` when it is none, `RunStopped` when it fails.
    """
    base = base_url_of(settings)
    url = f"{base}/models"
    try:
        async with asyncio.timeout(START_SECONDS):
            response = await send(client, Call("GET", url), START_POLICY)
    except (Unreachable, TooSlow, TimeoutError) as error:
        why = f" ({error})" if isinstance(error, Unreachable) else " in time"
        raise NotThere(
            f"the server at {base} does not answer{why}; start it, or correct --base-url"
        ) from error
    except EngineFailure as error:
        raise UserMistake(
            f"{url} is not an OpenAI-compatible server ({error}); --base-url is its address up "
            "to /v1"
        ) from error
    _check_status(response, url, Secrets.of(settings.base_url))
    return response


@contextlib.asynccontextmanager
async def answering(base: str, seconds: float) -> AsyncIterator[None]:
    """Short requests that a server which is well answers.

    Raises `RunStopped` when it fails, or has not answered within `seconds`.
    """
    said = f"the server at {base} lists its models but gives no text"
    seconds = max(0.1, seconds)
    try:
        async with asyncio.timeout(seconds):
            yield
    except EngineFailure as error:
        raise RunStopped(f"{said}: {error}") from error
    except TimeoutError as error:
        raise RunStopped(
            f"{said}: requests of a few tokens were not answered within {seconds:.0f} s; see "
            "its log, and start again once it answers"
        ) from error


def served(response: httpx.Response, base: str, model: str) -> Server:
    """The server that lists its models so.

    Raises `UserMistake` when it is no list of models, or one without the model.
    """
    return _server(base, listed(response, base), model)


def listed(response: httpx.Response, base: str) -> dict[str, Any]:
    """What the server says of its models, by their names; raises `UserMistake` for no list."""
    try:
        return {str(one["id"]): one for one in response.json()["data"]}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserMistake(
            f"{base}/models does not list models, so it is not an OpenAI-compatible server; "
            "--base-url is its address up to /v1"
        ) from error


def _check_status(response: httpx.Response, url: str, secrets: Secrets) -> None:
    status = response.status_code
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise UserMistake(
            f"the server refuses access to {url} ({status}); set {KEY_VARIABLE} in the environment"
        )
    if response.is_server_error:
        reason = reason_of(response.text, secrets)
        raise RunStopped(f"the server at {url} fails with status {status} ({reason}); see its log")
    if response.has_redirect_location:
        raise UserMistake(sent_on(url, response.headers["Location"]))
    if not response.is_success:
        raise UserMistake(
            f"{url} answers with status {status}; --base-url is the address of an "
            "OpenAI-compatible server up to /v1"
        )


def sent_on(url: str, location: str) -> str:
    """The message for an address that only redirects, with the base URL to give."""
    asked = httpx.URL(url)
    try:
        there = asked.join(location).copy_with(username=None, password=None)
    except httpx.InvalidURL:
        return f"{url} redirects to an invalid address; correct --base-url"
    path = asked.path.rpartition("/v1")[2]
    address = shown_address(str(there))
    base, ends_alike, _ = address.rstrip("/").rpartition(path)
    advice = f"give --base-url {base}" if ends_alike else "--base-url is its address up to /v1"
    return f"the server at {url} only redirects to {address}; {advice}"


def _server(base: str, models: dict[str, Any], model: str) -> Server:
    if model not in models:
        near = difflib.get_close_matches(model, models, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        kind = UserMistake if models else NotThere  # one that has none may be loading it
        raise kind(
            f"the server at {base} does not serve the model {model!r}; it serves "
            f"{', '.join(sorted(models)) or 'none'}{hint}"
        )
    entry = models[model]
    root, more = entry.get("root"), entry.get("metadata")
    # vLLM's name for it, or Ray Serve LLM's.
    context = entry.get("max_model_len") or (
        more.get("max_request_context_length") if isinstance(more, dict) else None
    )
    return Server(
        base_url=base,
        context=context if type(context) is int and 0 < context <= MAX_TOKENS else None,
        root=root if isinstance(root, str) else None,
    )


def facts_of(settings: EngineSettings, server: Server, root: str | None) -> ModelFacts:
    """Facts from the model's files where `root` is their folder here; else only the name."""
    if root is not None and looks_like_path(root) and Path(root).is_dir():
        known = read_facts(replace(settings, model=root))
        return replace(known, model=settings.model, context=server.context)
    return ModelFacts(
        model=settings.model,
        revision=settings.revision,
        dtype=None,
        context=server.context or settings.max_model_len,
        parameters=None,
        body_parameters=None,
        head_parameters=None,
        layers=None,
        attention_width=None,
    )
