"""Getting to know an OpenAI-compatible server: whether it is up, what it serves, who wrote it."""

import difflib
import ipaddress
import os
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from pipeline.engines.http_retry import Call, RetryPolicy, TooSlow, Unreachable, send
from pipeline.engines.openai_wire import reason_of
from pipeline.engines.settings import EngineSettings
from pipeline.errors import RunStopped, UserMistake

KEY_VARIABLE = "OPENAI_API_KEY"
CONNECT_SECONDS = 5.0
# A server that is down is told of in well under the half minute that a user waits for.
START_POLICY = RetryPolicy(tries=3, within=8.0)
START_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answered, and what it says of the model."""

    base_url: str
    is_vllm: bool
    context: int | None
    root: str | None


def base_url_of(settings: EngineSettings) -> str:
    """The address up to /v1; raises `UserMistake` when none was given."""
    if not settings.base_url:
        raise UserMistake(
            "the engine openai needs the server's address; give --base-url, for example "
            "http://127.0.0.1:8000/v1"
        )
    url = settings.base_url.rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise UserMistake(f"the base URL {settings.base_url!r} must begin with http:// or https://")
    return url if url.endswith("/v1") else f"{url}/v1"


def make_client(settings: EngineSettings) -> httpx.AsyncClient:
    """A client with the key of the environment, unlimited connections, and no other state."""
    key = os.environ.get(KEY_VARIABLE)
    url = base_url_of(settings)
    return httpx.AsyncClient(
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=httpx.Timeout(settings.request_timeout, connect=CONNECT_SECONDS, pool=None),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        # A proxy of the environment must not stand between us and this machine.
        trust_env=not _is_loopback(httpx.URL(url).host),
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def meet(client: httpx.AsyncClient, settings: EngineSettings) -> Server:
    """Ask the server what it serves.

    Raises `UserMistake` when it is down or does not serve the model, `RunStopped` when it fails.
    """
    base = base_url_of(settings)
    url = f"{base}/models"
    client_timeout, client.timeout = client.timeout, httpx.Timeout(START_SECONDS)
    try:
        response = await send(client, Call("GET", url), START_POLICY)
    except (Unreachable, TooSlow) as error:
        raise UserMistake(
            f"the server at {base} does not answer ({error}); start it, or correct --base-url"
        ) from error
    finally:
        client.timeout = client_timeout
    _check_status(response, url)
    try:
        models = {str(one["id"]): one for one in response.json()["data"]}
    except (ValueError, KeyError, TypeError) as error:
        raise UserMistake(
            f"{url} does not list models, so it is no OpenAI-compatible server; --base-url is its "
            "address up to /v1"
        ) from error
    return _server(base, models, settings.model)


def _check_status(response: httpx.Response, url: str) -> None:
    status = HTTPStatus(response.status_code)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise UserMistake(
            f"the server refuses access to {url} ({status}); set {KEY_VARIABLE} in the environment"
        )
    if response.is_server_error:
        raise RunStopped(
            f"the server at {url} fails with status {status} ({reason_of(response.text)}); look "
            "into its log"
        )
    if not response.is_success:
        raise UserMistake(
            f"{url} answers with status {status}; --base-url is the address of an "
            "OpenAI-compatible server up to /v1"
        )


def _server(base: str, models: dict[str, Any], model: str) -> Server:
    if model not in models:
        near = difflib.get_close_matches(model, models, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UserMistake(
            f"the server at {base} does not serve the model {model!r}; it serves "
            f"{', '.join(sorted(models)) or 'none'}{hint}"
        )
    entry = models[model]
    context, root = entry.get("max_model_len"), entry.get("root")
    return Server(
        base_url=base,
        is_vllm=entry.get("owned_by") == "vllm",
        context=context if isinstance(context, int) else None,
        root=root if isinstance(root, str) else None,
    )
