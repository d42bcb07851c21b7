"""Which methods an attempt's tracks follow: the target's choice by letters, or a control.

The target answers the method question one letter at a time. At each place its probabilities of the
pool's letters are read and the likeliest one is taken that is still free; the last letter, the
unknown method, may be taken again and again.
"""

import math
from dataclasses import dataclass

from pipeline.engines.protocol import SamplingRequest, Tokenizer
from pipeline.errors import UserMistake
from pipeline.ledger import Use
from pipeline.letters import LETTERS
from pipeline.problems.prompting import (
    LetteredMethod,
    PromptSet,
    method_answer_opening,
    method_question,
    methods,
)
from pipeline.reasoners.opening import open_chain
from pipeline.reasoners.protocol import Assignment
from pipeline.reasoners.settings import TrackSettings
from pipeline.reasoners.step_score import probability
from pipeline.records import Selection
from pipeline.seeds import choice_order, request_seed

UNKNOWN = "unknown"
SEPARATOR = ", "
DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Choice:
    """One chosen letter's place in the pool, and the distribution it was chosen from."""

    index: int
    distribution: tuple[float, ...]


def asks_the_target(settings: TrackSettings) -> bool:
    """Whether the target chooses the methods, which takes its probabilities of letters."""
    return settings.prompts == "methods" and settings.selection == "model"


async def choose_methods(assignment: Assignment, settings: TrackSettings) -> Selection:
    """As many methods as there are tracks, by the settings' way of selection.

    Raises:
        UserMistake: the prompt set has too few methods, or a letter is no single token.
    """
    pool = method_pool(assignment.prompt_set, settings.method_pool)
    if settings.selection == "same":
        return Selection("same", pool, (UNKNOWN,) * settings.tracks, (), None)
    if settings.selection == "random":
        return Selection("random", pool, _at_random(assignment, pool, settings.tracks), (), None)
    return await _by_the_target(assignment, pool, settings.tracks)


def method_pool(prompt_set: PromptSet, size: int) -> tuple[str, ...]:
    """The first `size` methods of the prompt set by name, and the unknown one.

    Raises:
        UserMistake: it has fewer.
    """
    known = methods(prompt_set)
    if len(known) < size:
        raise UserMistake(
            f"--method-pool is {size}, but the prompt set {prompt_set.name} has "
            f"{len(known)} methods; choose a smaller pool."
        )
    return (*(method.name for method in known[:size]), UNKNOWN)


def letter_ids(tokenizer: Tokenizer, count: int) -> tuple[int, ...]:
    """The ids of the letters from A.

    Raises:
        UserMistake: a letter is more than one token.
    """
    encoded = [tokenizer.encode(letter) for letter in LETTERS[:count]]
    if any(len(ids) != 1 for ids in encoded):
        raise UserMistake(
            "The target's tokenizer does not have a token for each letter, so it cannot choose "
            "methods; use --selection random."
        )
    return tuple(ids[0] for ids in encoded)


def _at_random(assignment: Assignment, pool: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Different methods by a hash of the attempt; the unknown one where they do not suffice."""
    known = len(pool) - 1
    order = choice_order(assignment.problem.problem_id, _seed(assignment, 0), known)
    chosen = [pool[index] for index in order[:count]]
    return (*chosen, *(UNKNOWN for _ in range(count - len(chosen))))


async def _by_the_target(assignment: Assignment, pool: tuple[str, ...], count: int) -> Selection:
    lettered = tuple(map(LetteredMethod, LETTERS, pool))
    prompts, problem = assignment.prompt_set, assignment.problem
    question = method_question(prompts, problem, lettered, count)
    opening = method_answer_opening(prompts, count)
    tokenizer = assignment.target.tokenizer
    ids = letter_ids(tokenizer, len(pool))
    prompt = open_chain(tokenizer, question.text, "off") + tokenizer.encode(opening.text)
    choices: list[Choice] = []
    for place in range(count):
        taken = {choice.index for choice in choices}
        choice = await _next_letter(assignment, prompt, ids, taken, place)
        choices.append(choice)
        prompt = [*prompt, ids[choice.index], *tokenizer.encode(SEPARATOR)]
    return Selection(
        "model",
        pool,
        tuple(pool[choice.index] for choice in choices),
        tuple(choice.distribution for choice in choices),
        question.sha256,
        tuple(
            f"letter {lettered[choice.index].letter} at place {place} was chosen without any "
            "probability"
            for place, choice in enumerate(choices, start=1)
            if not choice.distribution[choice.index]
        ),
    )


async def _next_letter(
    assignment: Assignment, prompt: list[int], ids: tuple[int, ...], taken: set[int], place: int
) -> Choice:
    sampling = SamplingRequest(
        max_tokens=1,
        temperature=0.0,
        top_p=1.0,
        seed=_seed(assignment, place),
        logprobs_of=ids,
    )
    completion = await assignment.target.complete(prompt, sampling)
    assignment.ledger.book("target", Use.SELECTION, completion)
    logprobs = completion.logprobs or {}
    known = {token: logprobs.get(token, -math.inf) for token in ids}
    distribution = tuple(round(probability(known[token]), DECIMALS) for token in ids)
    last = len(ids) - 1
    free = [index for index in range(len(ids)) if index not in taken or index == last]
    # Log-probabilities, not rounded probabilities: letters that are all unlikely still differ.
    best = max(free, key=lambda index: (_rank(known[ids[index]]), -index))
    return Choice(best, distribution)


def _rank(logprob: float) -> float:
    """What letters are ordered by: what is no number comes last."""
    return -math.inf if math.isnan(logprob) else logprob


def _seed(assignment: Assignment, place: int) -> int:
    experiment, problem = assignment.experiment, assignment.problem
    return request_seed(
        experiment.seed,
        problem.dataset,
        problem.problem_id,
        assignment.repeat_id,
        track="",
        step=place,
        purpose="selection",
    )
