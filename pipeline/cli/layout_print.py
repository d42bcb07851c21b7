"""`--print-layout`: where each token of a group's prompts lies in their sequence."""

from collections.abc import Sequence

from pipeline.cli.terminal import echo, json_line
from pipeline.decoding.beginnings import common_of
from pipeline.decoding.layout import TRUNK, Token, in_order
from pipeline.engines.branching import Branching
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.generating.prompts import Prompt
from pipeline.generating.settings import Generation
from pipeline.generating.units import asks_groups, counted_by, groups_of


def print_layout(generation: Generation, prompts: Sequence[Prompt]) -> None:
    """Print a line a token: its place, branch, column, position, and text."""
    tokenizer = HFTokenizer.of(with_model_folder(generation.model))
    branching = generation.model.branching or Branching()
    groups = groups_of(generation.model, prompts, generation.seed, tokens_of=counted_by(generation))
    shown = groups if asks_groups(generation.model) else groups[:1]
    for group in shown:
        texts = [
            tokenizer.encode(prompt.text_for(tokenizer, as_chat=generation.chat_template))
            for prompt in group
        ]
        named = [f"{branch}: [{one.prompt_id}]" for branch, one in enumerate(group)]
        echo(f"Branches {', '.join(named)}")
        echo("place  branch  column  position  token")
        for place, (token, position) in enumerate(laid_out(texts, branching)):
            branch = "-" if token.branch == TRUNK else token.branch
            text = json_line(tokenizer.decode_with_special([token.token_id]))
            echo(f"{place:5}  {branch:>6}  {token.time:6}  {position:8}  {text}")
    if len(shown) < len(groups):
        echo("The other prompts follow one by one, as these end.")


def laid_out(texts: Sequence[Sequence[int]], branching: Branching) -> list[tuple[Token, int]]:
    """The tokens of texts in the order of their sequence, each with its position."""
    layout = branching.layout
    trunk = common_of(texts) if branching.reads_common_once else []
    starts = layout.starts([len(text) - len(trunk) for text in texts], len(trunk))
    tokens = [Token(TRUNK, time, 0, token) for time, token in enumerate(trunk)]
    tokens += in_order(
        [
            Token(branch, start + at, branch, token)
            for branch, (text, start) in enumerate(zip(texts, starts, strict=True))
            for at, token in enumerate(text[len(trunk) :])
        ],
        interleaved=layout.interleaved,
    )
    offset = 0 if branching.two_dimensions else layout.stride
    return [
        (token, place if layout.flat_index else token.time + offset * max(token.branch, 0))
        for place, token in enumerate(tokens)
    ]
