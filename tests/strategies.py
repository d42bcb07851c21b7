"""Hypothesis strategies for the project's own values."""

from hypothesis import strategies as st

from pipeline.records import Attempt, Failure, Step, Stop, Tokens, Track

texts = st.text(st.characters(codec="utf-8"), max_size=40)
seconds = st.floats(0, 1e6, allow_nan=False)
counts = st.integers(0, 10**9)

steps = st.builds(
    Step,
    text=texts,
    author=st.sampled_from(["draft", "target"]),
    tokens=counts,
    seconds=seconds,
    finish=st.sampled_from(["stop", "length"]),
    score=st.none() | st.floats(0, 9),
    digits=st.none() | st.tuples(*[st.floats(0, 1)] * 10),
    draft_text=st.none() | texts,
)
tracks = st.builds(
    Track,
    id=texts,
    steps=st.lists(steps, max_size=3).map(tuple),
    stop=st.sampled_from(Stop),
    answer=st.none() | texts,
    notes=st.lists(texts, max_size=2).map(tuple),
)
tokens = st.builds(
    Tokens,
    prompt_new=counts,
    prompt_cached=st.none() | counts,
    generated=counts,
    attended_prompt=counts,
    attended_generated=counts,
    requests=st.just(0),
    forwards=st.none() | counts,
)


safe_ids = st.from_regex(r"[a-z0-9-]{1,8}", fullmatch=True)


def attempts(problem_ids=safe_ids):
    """Attempts with every field drawn, errors and missing answers included."""
    return st.builds(
        Attempt,
        dataset=st.just("pocket"),
        problem_id=problem_ids,
        repeat_id=st.integers(0, 20),
        seed=st.integers(0, 2**31 - 1),
        reasoner=st.just("baseline"),
        status=st.sampled_from(["ok", "error"]),
        gold=texts,
        kind=st.sampled_from(["integer", "latex", "choice", "text"]),
        choice_order=st.permutations(range(4)).map(tuple),
        prompt_sha256=st.none() | texts,
        tracks=st.lists(tracks, min_size=1, max_size=2).map(tuple),
        vote=st.none(),
        response=st.none() | texts,
        answer=st.none() | texts,
        usage=st.dictionaries(
            st.sampled_from(["target", "draft"]),
            st.dictionaries(st.sampled_from(["plain", "verify"]), tokens),
        ),
        seconds=seconds,
        started=texts,
        error=st.none() | st.builds(Failure, texts, texts),
    )
