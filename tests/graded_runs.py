"""Run directories made of verdicts, for the tests of what is computed from them."""

import json

from evaluators.run_files.attempt_lines import line_digest


def verdict_row(problem_id="0", repeat_id=0, *, right=True, **changes):
    """One line of verdicts.jsonl as grading writes it."""
    return {
        "dataset": "sums",
        "problem_id": problem_id,
        "repeat_id": repeat_id,
        "status": "ok",
        "gold": "1",
        "extracted": "1" if right else "2",
        "verdict": "correct" if right else "wrong",
        "rule": "box/same_number",
        "grader_version": "1.0",
        "answer_class": 0 if right else 1,
        "stop": "finished",
        "usage": {"target": {"plain": {"prompt_new": 10, "generated": 20}}},
        "flops": {"decode": 2e9, "total": 3e9},
        "seconds": 1.0,
        "tracks": [{"id": "0", "extracted": "1", "verdict": "correct" if right else "wrong"}],
        "made_from": {"file": "0.jsonl", "bytes": 0, "modified_ns": 0, "digest": "0" * 16},
    } | changes


def in_windows():
    """What an attempt used whose 40 tokens came in 8 forwards, with an assistant's guesses."""
    one = dict.fromkeys(("prompt_new", "attended_prompt", "attended_generated", "requests"), 1)
    one |= {"prompt_cached": 0}
    return {
        "target": {
            "plain": one | {"generated": 40, "forwards": 8},
            "refused": one | {"generated": 7, "forwards": 0},
        },
        "target_assistant": {"guesses": one | {"generated": 30, "forwards": 20}},
    }


def rewrite_attempts(run, **fields):
    """Put these fields into every attempt line of a run."""
    for file in (run / "problems").iterdir():
        lines = [json.loads(line) | fields for line in file.read_text().splitlines()]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def manifest(problem_ids, repeats, **identity):
    """A run.json with what metrics and comparisons read."""
    return {
        "name": "run",
        "identity": {
            "dataset": "sums",
            "reasoner": "baseline",
            "target": {"model": "m"},
            "draft": None,
            "token_budget": 100,
            "temperature": 0.6,
            "seed": 0,
        }
        | identity,
        "dataset": {"name": "sums", "revision": "r1", "fingerprint": "f1"},
        "slice": {"problem_ids": problem_ids, "repeats": repeats},
        "models": {},
        "sessions": [],
    }


def write_run(folder, right, rows=None, **identity):
    """A graded run without its attempts; `right` maps a problem's id to its repeats' outcomes."""
    folder.mkdir(parents=True)
    repeats = max(len(attempts) for attempts in right.values())
    (folder / "run.json").write_text(json.dumps(manifest(list(right), repeats, **identity)))
    made = [
        verdict_row(problem_id, repeat, right=good)
        for problem_id, attempts in right.items()
        for repeat, good in enumerate(attempts)
    ]
    named = {"dataset": identity["dataset"]} if "dataset" in identity else {}
    lines = "".join(json.dumps(row | named) + "\n" for row in (made if rows is None else rows))
    (folder / "verdicts.jsonl").write_text(lines)
    return folder


def step(text, *, author=None, score=None, draft=None):
    """One step of a track as an attempt line holds it; a scored one that stands is the draft's."""
    author = author or ("draft" if score is not None and draft is None else "target")
    return {
        "text": text,
        "author": author,
        "tokens": 5,
        "seconds": 0.1,
        "finish": "stop",
        "score": score,
        "draft_text": draft,
    }


def attempt_line(row, tracks):
    """The attempt line of a verdict row; `tracks` is a list of lists of steps."""
    return {
        "dataset": row["dataset"],
        "problem_id": row["problem_id"],
        "repeat_id": row["repeat_id"],
        "seed": 1,
        "status": row["status"],
        "tracks": [
            {"id": str(n), "steps": steps, "stop": "finished", "answer": None, "notes": []}
            for n, steps in enumerate(tracks)
        ],
        "vote": None,
        "usage": {"target": {"plain": {"generated": 20}}},
        "seconds": 1.0,
        "error": None,
    }


def write_attempts(run, tracks_of):
    """Attempt lines for a run's verdicts; `tracks_of` gives the tracks of a verdict row."""
    (run / "problems").mkdir()
    for row in rows_of(run):
        file = run / "problems" / f"{row['problem_id']}.jsonl"
        with file.open("a") as out:
            out.write(json.dumps(attempt_line(row, tracks_of(row))) + "\n")
    return made_from_attempts(run)


def made_from_attempts(run):
    """The run, its verdicts saying that they were made from the attempts that it holds now."""
    made = {}
    for file in (run / "problems").glob("*.jsonl"):
        for line in file.read_bytes().splitlines(keepends=True):
            attempt = json.loads(line)
            made[attempt["problem_id"], attempt["repeat_id"]] = {
                "file": file.name,
                "bytes": file.stat().st_size,
                "modified_ns": file.stat().st_mtime_ns,
                "digest": line_digest(line),
            }
    stamped = [
        row | {"made_from": made[row["problem_id"], row["repeat_id"]]} for row in rows_of(run)
    ]
    (run / "verdicts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in stamped))
    return run


def rows_of(run):
    """The verdict rows of a run."""
    return [json.loads(line) for line in (run / "verdicts.jsonl").read_bytes().splitlines()]
