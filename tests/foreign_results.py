"""Result files as SpecReason, the SSR scripts and lm-evaluation-harness write them."""

import json
import pickle

from pipeline.runs.directory import read_attempts

RIGHT, WRONG = "\\boxed{2}", "\\boxed{3}"

# Invented problems; ids as AIME's.
PROBLEMS = [
    {"id": 60, "problem": "What is $1+1$?", "answer": "2"},
    {"id": 61, "problem": "What is $2+3$?", "answer": "5"},
]
CHOICES = {"A": "right", "B": "wrong", "C": "odd [sic]", "D": "even"}


def data_file(folder, rows=PROBLEMS, name="sums"):
    """The rows as a user's own data file."""
    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def quiz_file(folder):
    """A dataset with a question of four choices, the third right."""
    row = {"id": 60, "problem": "Which?", "answer": "C", "choices": ["a", "b", "c [x]", "d"]}
    return data_file(folder, [row], "quiz")


def the_attempt(bring, source, file):
    """The one attempt of a run that was imported (by the fixture `bring`) from one file."""
    said, run = bring(source, file)
    assert said.code == 0, said.err
    [attempt] = read_attempts(run)
    return attempt


def step(text, *, rewritten=None, score=9, **more):
    """One step record; `rewritten` is the target's text in place of the draft's."""
    return {
        "step_id": 0,
        "step_str": text if rewritten is None else rewritten,
        "small_model_step": text,
        "num_output_tokens_small": 10,
        "score": score,
        "base_model_step": rewritten,
        "num_output_tokens_base": None if rewritten is None else 20,
        "final_num_output_tokens": 10 if rewritten is None else 20,
        **more,
    }


def dump(value, file, protocol=pickle.DEFAULT_PROTOCOL):
    """Pickle `value` into `file`, whose folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(value, protocol=protocol))
    return file


def whole(text, **more):
    """One completion, as the scripts without steps record it."""
    return {
        "reasoning": text,
        "finished": True,
        "num_tokens": 30,
        "elapsed_time": 2.0,
        "token_time": 66.7,
        "stop_reason": "finished",
        **more,
    }


def ssr_baseline(text):
    return {
        "reasoning": whole(text, model_name="Qwen/QwQ-32B", final_answer="99"),
        "time_stats": {"total_time": 2.5, "model_stats": {"model_name": "Qwen/QwQ-32B"}},
    }


def ssr_parallel(*texts, chosen):
    """Tracks of one completion each; the one numbered `chosen` was selected, None for no one."""
    results = [whole(text, method_code="A", answer=text[-2:-1]) for text in texts]
    failed = {"reasoning": "all failed", "stop_reason": "budget"}
    best = failed if chosen is None else results[chosen] | {"selection_reason": "majority"}
    stats = {"model_name": "Qwen/QwQ-32B"}
    return {
        "reasoning": best,
        "time_stats": {"total_time": 3.0, "model_stats": stats, "method_results": results},
    }


def ssr_spec(tracks, *, best=None, **more):
    """Speculative method tracks by id: lists of step records; `best` is the chosen track's id."""
    stops = dict.fromkeys(tracks, "finished")
    final = {
        name: {
            "steps": [one["step_str"] for one in steps],
            "answer": 2,
            "stop_reason": stops[name],
            "method_code": name[0],
        }
        for name, steps in tracks.items()
    }
    return {
        "problem_id": 60,
        "repeat_id": 3,
        "dataset_name": "aime",
        "options": None,
        "solution_methods": list(tracks),
        "method_tracks": {
            name: {
                "steps": [one["step_str"] for one in steps],
                "metadata": steps,
                "stop_reason": stops[name],
                "method_code": name[0],
            }
            for name, steps in tracks.items()
        },
        "final_results": final,
        "best_result": final[best] | {"selection_reason": "votes"} if best else None,
        "total_time": 4.0,
        "score_threshold": 7.0,
        "token_budget": 8192,
        "score_method": "greedy",
        **more,
    }


def sample(row, *texts, filters=("none",), **doc):
    """The lines of one problem in `samples_*.jsonl`, one for each filter."""
    line = {
        "doc_id": 0,
        "doc": {"problem": row["problem"], "answer": "99"} | doc,
        "target": "99",
        "arguments": {
            "gen_args_0": {"arg_0": "prompt", "arg_1": {"temperature": 0.5, "max_gen_toks": 100}}
        },
        "resps": [list(texts)],
        "filtered_resps": list(texts),
        "exact_match": 0,
    }
    return [line | {"filter": name} for name in filters]


def samples_file(folder, lines, name="samples_aime24_2026-01-01.jsonl"):
    """A samples file in a folder that is named as the harness names a model's."""
    file = folder / "Qwen__QwQ-32B" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file
