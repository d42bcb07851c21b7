"""Whether a server knows a field of a request, since many take no notice of those that they do not.

A server that knows it takes a value that means something and refuses one that means nothing.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from pipeline.engines.masking import Secrets
from pipeline.engines.openai.wire import reason_of
from pipeline.errors import UserMistake

NO_VALUE = "no value of this field"
Ask = Callable[[dict[str, Any]], Awaitable[httpx.Response]]


async def refuse_unknown(ask: Ask, name: str, value: Any, secrets: Secrets) -> None:
    """Ask with a field as it is wanted, and as no server could read it.

    Raises:
        UserMistake: the server refuses it, or takes no notice of it.
    """
    flag = "--" + name.replace("_", "-")
    advice = f"drop {flag} (of a draft --draft{flag[1:]}), or serve the model with vLLM"
    taken = await ask({name: value})
    if taken.is_client_error:
        reason = reason_of(taken.text, secrets)
        raise UserMistake(f"the server refuses {name}={value} ({reason}); {advice}")
    if (await ask({name: NO_VALUE})).is_success:
        raise UserMistake(
            f"the server takes no notice of {name}: it accepts {NO_VALUE!r} for it; {advice}"
        )
