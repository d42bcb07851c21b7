"""SpecReason's pickles become attempts of one track, step by step."""

import pytest
from foreign_results import RIGHT, dump, step, the_attempt


def test_specreason_steps_keep_their_authors_scores_and_tokens(bring, tmp_path):
    steps = [step("One."), step("Bad.", rewritten=RIGHT, score=3, stop_reason="finished")]
    attempt = the_attempt(bring, "specreason", dump(steps, tmp_path / "60" / "0.pickle"))
    kept, rewritten = attempt.tracks[0].steps
    assert (kept.author, kept.score, kept.tokens, kept.text) == ("draft", 9, 10, "One.\n\n")
    assert (rewritten.author, rewritten.draft_text, rewritten.draft_tokens) == (
        "target",
        "Bad.",
        10,
    )
    assert (attempt.response, attempt.answer) == ("One.\n\n" + RIGHT, "2")


def test_every_known_token_is_booked_once_and_unknown_ones_stay_null(bring, tmp_path):
    steps = [step("One."), step("Bad.", rewritten=RIGHT, score=3, stop_reason="finished")]
    attempt = the_attempt(bring, "specreason", dump(steps, tmp_path / "60" / "0.pickle"))
    generated = {
        (model, use): tokens.generated
        for model, uses in attempt.usage.items()
        for use, tokens in uses.items()
    }
    assert generated == {
        ("draft", "draft_kept"): 10,
        ("draft", "draft_dropped"): 10,
        ("target", "rewrite"): 20,
        ("target", "verify"): 2,
    }
    assert attempt.usage["target"]["rewrite"].prompt_new is None
    assert (attempt.seconds, attempt.seed, attempt.started) == (None, None, None)


@pytest.mark.parametrize(
    ("texts", "said", "stop"),
    [
        (["a", RIGHT], "finished", "finished"),
        (["a", "b", "b"], "finished", "repeated"),
        (["a", RIGHT, RIGHT], "finished", "finished"),
        (["a"], "budget", "budget"),
        (["a"], None, "error"),
    ],
)
def test_why_a_specreason_track_ended_is_told_apart(bring, tmp_path, texts, said, stop):
    steps = [step(text) for text in texts]
    if said is not None:
        steps[-1]["stop_reason"] = said
    attempt = the_attempt(bring, "specreason", dump(steps, tmp_path / "60" / "0.pickle"))
    assert attempt.tracks[0].stop == stop
