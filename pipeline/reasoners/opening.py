"""How a chain of reasoning begins: the task in the model's chat template, then think-open."""

from pipeline.engines.protocol import Message, Tokenizer
from pipeline.experiment import Thinking

THINK_OPEN = "<think>"
THINK_CLOSE = "</think>"


def messages(task: str) -> tuple[Message, ...]:
    """The task as a chat of one user turn."""
    return ({"role": "user", "content": task},)


def open_chain(tokenizer: Tokenizer, task: str, thinking: Thinking) -> list[int]:
    """The token ids before the first step: the rendered task, with think-open if the model thinks.

    Templates such as QwQ's open the tag themselves; for those that leave it to the model
    (Qwen3's) it is written here, so that every reasoner continues the same prefix. `auto` opens it
    when the tokenizer knows the tag as one token; `off` asks the template not to think.
    """
    return tokenizer.encode(_rendered(tokenizer, task, thinking))


def opens_thinking(tokenizer: Tokenizer, task: str, thinking: Thinking) -> bool:
    """Whether the chain begins inside a thinking block."""
    return _rendered(tokenizer, task, thinking).rstrip().endswith(THINK_OPEN)


def _rendered(tokenizer: Tokenizer, task: str, thinking: Thinking) -> str:
    if thinking == "off":
        return tokenizer.render_chat(messages(task), thinking=False)
    rendered = tokenizer.render_chat(messages(task))
    is_open = rendered.rstrip().endswith(THINK_OPEN)
    if not is_open and (thinking == "on" or len(tokenizer.encode(THINK_OPEN)) == 1):
        rendered += THINK_OPEN + "\n"
    return rendered
