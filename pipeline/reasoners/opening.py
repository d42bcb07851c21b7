"""How a chain of reasoning begins: the task in the model's chat template, then think-open."""

from pipeline.engines.protocol import Message, Tokenizer
from pipeline.experiment import Thinking

THINK_OPEN = "<think>"
THINK_CLOSE = "</think>"


def messages(task: str, system: str | None = None) -> tuple[Message, ...]:
    """The task as a chat of one user turn, after the system prompt if there is one."""
    asked = {"role": "user", "content": task}
    return (asked,) if system is None else ({"role": "system", "content": system}, asked)


def open_chain(
    tokenizer: Tokenizer, task: str, thinking: Thinking, system: str | None = None
) -> list[int]:
    """The token ids before the first step: the rendered task, with think-open if the model thinks.

    Templates such as QwQ's open the tag themselves; for those that leave it to the model
    (Qwen3's) it is written here, so that every reasoner continues the same prefix. A block that the
    template itself has closed again stays closed. Else `auto` opens it when the tokenizer knows the
    tag as one token; `off` asks the template not to think. Thinking and system prompt are what
    `Experiment.opening` says of the model's role.
    """
    return tokenizer.encode(_rendered(tokenizer, task, thinking, system))


def opens_thinking(
    tokenizer: Tokenizer, task: str, thinking: Thinking, system: str | None = None
) -> bool:
    """Whether the chain begins inside a thinking block."""
    return _rendered(tokenizer, task, thinking, system).rstrip().endswith(THINK_OPEN)


def _rendered(tokenizer: Tokenizer, task: str, thinking: Thinking, system: str | None) -> str:
    chat = messages(task, system)
    if thinking == "off":
        return tokenizer.render_chat(chat, thinking=False)
    rendered = tokenizer.render_chat(chat)
    settled = THINK_OPEN if thinking == "on" else (THINK_OPEN, THINK_CLOSE)
    is_settled = rendered.rstrip().endswith(settled)
    if not is_settled and (thinking == "on" or len(tokenizer.encode(THINK_OPEN)) == 1):
        rendered += THINK_OPEN + "\n"
    return rendered
