"""Build the tokenizer both models share: single digits, single letters, whole words, any bytes."""

import json
import random
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from pipeline.pocket import prompts
from pipeline.pocket.problems import KINDS, Difficulty, make_problem

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
CONTEXT = 2048  # tokens the models are configured for

# A word takes its leading space, and its trailing one before a lone letter or a number, so that
# names and digits are the same tokens wherever they stand. A name that something is said of has
# its equals sign with it: what was said of it before comes right after the same token.
_PIECES = "|".join(  # noqa: FLY002 - one alternative a line
    (
        r"\n\n",
        r"\([A-D]\) ?",
        r"\\[a-z]+\{",
        r"\}\{",
        r" ?[A-Za-z]{2,}(?: (?=[0-9]|[A-Za-z](?![A-Za-z])))?",
        r"[a-z]=",
        r"[,.:;] ?",
        r"[\s\S]",
    )
)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Build the tokenizer from the prompts and a seeded sample of problems."""
    splitter = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    names = [PAD, START, END, THINK_OPEN, THINK_CLOSE]
    names += sorted(pre_tokenizers.ByteLevel.alphabet())
    names += sorted(_words(splitter) - set(names))
    vocabulary = {name: i for i, name in enumerate(names)}
    # Without merges a piece is one token where the vocabulary has it, and its bytes elsewhere.
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in (PAD, START, END)])
    # Not special: they are part of the text and survive decoding.
    tokenizer.add_tokens([AddedToken(t, special=False) for t in (THINK_OPEN, THINK_CLOSE)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


def _words(splitter: pre_tokenizers.PreTokenizer) -> set[str]:
    """Collect the pieces of every prompt text and of a sample of problems."""
    texts = [*prompts.guidance_texts(), prompts.score_prompt(), "user\n", "assistant\n", "system\n"]
    rng = random.Random(0)  # noqa: S311 - a reproducible sample, no secret
    for kind in KINDS:
        for _ in range(50):
            problem = make_problem(rng, kind, Difficulty(), "training")
            texts.append("\n\n".join((*problem.steps, problem.answer_step, "")))
            texts += [prompts.task_prompt(k, problem.question, "") for k in (kind, "text")]
            texts += [prompts.methods_prompt(problem.question, pool, 3) for pool in prompts.POOLS]
    texts += [prompts.methods_answer(count, "ABCDE"[:count]) for count in range(1, 6)]
    pieces = {piece for text in texts for piece, _ in splitter.pre_tokenize_str(text)}
    return {piece for piece in pieces if len(piece) > 1}


def save_tokenizer(folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and the chat template into a folder."""
    build_tokenizer().save_pretrained(folder, save_jinja_files=False)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    # The class name that every transformers version since 4.x knows.
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(settings, indent=2) + "\n")
