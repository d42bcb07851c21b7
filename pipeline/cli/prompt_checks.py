"""The doctor's checks of a target and its draft: every prompt with the real tokenizers.

What speculative reasoning needs of them: digits and letters of one token, a blank line that can be
generated, prefixes that only grow, thinking text that survives its tokens.
"""

from collections.abc import Iterator

from pipeline.cli.findings import Finding, State
from pipeline.engines import entry
from pipeline.engines.bundled_models import BUNDLED, with_model_folder
from pipeline.engines.protocol import Tokenizer
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.letters import LETTERS
from pipeline.problems.problem_set import Problem
from pipeline.problems.prompting import (
    LetteredMethod,
    PromptSet,
    guidance_text,
    method_answer_opening,
    method_question,
    methods,
    open_prompt_set,
    score_question,
    task_prompt,
)
from pipeline.reasoners.chain import Vocabularies
from pipeline.reasoners.opening import THINK_CLOSE, open_chain
from pipeline.reasoners.selection import UNKNOWN, letter_ids
from pipeline.reasoners.step_ends import STEP_END
from pipeline.reasoners.step_score import digit_ids
from pipeline.reasoners.track_plans import ROLES

POOL = 15
STEPS = ("First I add 3 and 4, which is 7.", "So 2x = 14 and x = 7.")
ANSWER = f"{THINK_CLOSE}{STEP_END}The answer is \\boxed{{7}}."
PROBLEM = Problem(
    dataset="doctor",
    problem_id="0",
    record_id="0",
    aliases=(),
    problem="Solve 2x = 14.",
    answer="7",
    kind="integer",
    choices=(),
    choice_order=(),
    level=None,
)


def pair_findings(engine: str, target: str, draft: str) -> Iterator[Finding]:
    """Everything about this pair's prompts."""
    target_tokenizer, draft_tokenizer = (_tokenizer(engine, one) for one in (target, draft))
    prompts = open_prompt_set("pocket" if target in BUNDLED else "standard")
    yield from _single_tokens(target_tokenizer)
    for whose, tokenizer in (("target", target_tokenizer), ("draft", draft_tokenizer)):
        yield _delimiter(whose, tokenizer)
        yield _thinking_text(whose, tokenizer)
        yield _prefixes(whose, tokenizer, prompts)
    yield _vocabularies(Vocabularies(target_tokenizer, draft_tokenizer))
    yield _every_prompt(target_tokenizer, prompts)


def _tokenizer(engine: str, model: str) -> Tokenizer:
    tokenizer = entry(engine).read_tokenizer(with_model_folder(EngineSettings(engine, model)))
    if tokenizer is None:
        raise UserMistake(f"{engine} alone knows the tokenizer of {model}; leave out --engine.")
    return tokenizer


def _single_tokens(tokenizer: Tokenizer) -> Iterator[Finding]:
    try:
        digit_ids(tokenizer)
        letter_ids(tokenizer, POOL + 1)
    except UserMistake as mistake:
        yield Finding(State.FAILURE, "score tokens", str(mistake))
    else:
        yield Finding(State.OK, "score tokens", "digits and letters are one token each")


def _delimiter(whose: str, tokenizer: Tokenizer) -> Finding:
    """Whether a blank line comes back from its tokens, alone and after a sentence."""
    for text in (STEP_END, STEPS[0] + STEP_END):
        if STEP_END not in tokenizer.decode(tokenizer.encode(text)):
            advice = "steps could never end; this model cannot be used for spec"
            return Finding(State.FAILURE, f"{whose} delimiter", "a blank line is lost", advice)
    count = len(tokenizer.encode(STEP_END))
    return Finding(State.OK, f"{whose} delimiter", f"a blank line is {count} token(s)")


def _thinking_text(whose: str, tokenizer: Tokenizer) -> Finding:
    """Whether `</think>` is text that stop rules can see after decoding."""
    if THINK_CLOSE in tokenizer.decode(tokenizer.encode(ANSWER)):
        return Finding(State.OK, f"{whose} thinking", f"{THINK_CLOSE} survives its tokens")
    advice = "the end of thinking is not seen; use --thinking off"
    return Finding(State.WARNING, f"{whose} thinking", f"{THINK_CLOSE} is lost in decoding", advice)


def _prefixes(whose: str, tokenizer: Tokenizer, prompts: PromptSet) -> Finding:
    """Whether the ids of the steps, one after another, say what the whole text says."""
    opening = open_chain(tokenizer, task_prompt(prompts, PROBLEM, "").text, "auto")
    parts = [step + STEP_END for step in STEPS]
    ids = [token for part in parts for token in tokenizer.encode(part)]
    if not opening or tokenizer.decode(ids) != "".join(parts):
        advice = "rewrites would continue another text; use another model"
        return Finding(State.FAILURE, f"{whose} prefixes", "steps change when joined", advice)
    same = ids == tokenizer.encode("".join(parts))
    how = "as one text" if same else "other ids than as one text, which is why ids are passed back"
    return Finding(State.OK, f"{whose} prefixes", f"append-only; steps encode {how}")


def _vocabularies(vocabularies: Vocabularies) -> Finding:
    if vocabularies.shared:
        return Finding(State.OK, "vocabularies", "the same: ids are handed over as they are")
    return Finding(State.OK, "vocabularies", "different: each model keeps its own ids of the text")


def _every_prompt(tokenizer: Tokenizer, prompts: PromptSet) -> Finding:
    """Render all prompts; the longest one in tokens."""
    names = [*(one.name for one in methods(prompts)[:POOL]), UNKNOWN]
    pool = tuple(map(LetteredMethod, LETTERS, names))
    guidance = ["", *(guidance_text(prompts, "roles", role) for role in ROLES)]
    guidance += [guidance_text(prompts, "methods", one.name) for one in pool[:-1]]
    texts = [task_prompt(prompts, PROBLEM, text).text for text in guidance]
    texts.append(method_question(prompts, PROBLEM, pool, 3).text)
    texts += [score_question(prompts).text, method_answer_opening(prompts, 3).text]
    longest = max(len(tokenizer.encode(text)) for text in texts)
    what = f"{len(texts)} of the set {prompts.name} render; the longest has {longest} tokens"
    return Finding(State.OK, "prompts", what)
