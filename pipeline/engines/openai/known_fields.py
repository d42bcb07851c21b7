"""Which fields of a request a server knows, since many take no notice of those that they do not.

A server that knows a field takes a value that means something and refuses one that means nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from pipeline.engines.masking import Secrets
from pipeline.engines.openai.wire import reason_of
from pipeline.errors import UserMistake

NO_VALUE = "no value of this field"
Ask = Callable[[dict[str, Any]], Awaitable[httpx.Response]]


class KnownFields:
    """The fields of one server that have been found to be known; each is asked about once."""

    def __init__(self, ask: Ask, secrets: Secrets) -> None:
        """`ask` sends a short request with some fields more."""
        self._ask = ask
        self._secrets = secrets
        self._known: set[str] = set()
        self._asking = asyncio.Lock()

    async def refuse_unknown(self, wanted: Mapping[str, Any]) -> None:
        """Ask with each field, alone, as it is wanted and as no server could read it.

        Raises:
            UserMistake: the server refuses one, or takes no notice of it.
        """
        if wanted.keys() <= self._known:
            return
        async with self._asking:
            for name in sorted(wanted.keys() - self._known):
                await self._refuse(name, wanted[name])
                self._known.add(name)

    async def _refuse(self, name: str, value: Any) -> None:
        flag = "--" + name.replace("_", "-")
        advice = f"drop {flag} (of a draft --draft{flag[1:]}), or serve the model with vLLM"
        taken = await self._ask({name: value})
        if taken.is_client_error:
            reason = reason_of(taken.text, self._secrets)
            raise UserMistake(f"the server refuses {name}={value} ({reason}); {advice}")
        if (await self._ask({name: NO_VALUE})).is_success:
            raise UserMistake(
                f"the server takes no notice of {name}: it accepts {NO_VALUE!r} for it; {advice}"
            )
