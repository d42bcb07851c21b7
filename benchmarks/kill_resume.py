"""Kill a run at random instants, again and again, and look whether anything is lost or doubled.

    python benchmarks/kill_resume.py [--quick] [--again force|retry-errors]
    python benchmarks/kill_resume.py --shards 2 --kills 50
    python benchmarks/kill_resume.py --replicas --kills 50
    python benchmarks/kill_resume.py --store --kills 20
    python benchmarks/kill_resume.py --actors --kills 50

Each round starts the real command line on a scripted engine with latency and kills the whole
process with SIGKILL after a random time. With `--again` the rounds make attempts again that a first
run has made, and after every kill each attempt must be there once, and each line that was there
before it still be there or in replaced.jsonl. With `--shards` the launcher of so many shards is
killed, and in every second round a shard before it; with `--replicas` one of four servers after
another, under a run that goes on; with `--actors` one of four actors of Ray, or the run itself. The
last line printed is a JSON object.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from killed_actors import kill_actors
from killed_processes import kill_replicas, kill_shards_once
from report import print_result

from pipeline import records
from pipeline.errors import UserMistake
from pipeline.runs.directory import PROBLEMS, RunDirectory, attempt_files, read_attempts
from pipeline.runs.durable_lines import REPLACED

KILLS = 200
QUICK_KILLS = 20
PROBLEMS_PER_KILL = 20
"""More than a round can finish before it is killed, so that the run lasts as long as the kills."""
PROBLEMS_PER_STORE_KILL = 10
REPEATS = 5
DECODE_SECONDS = 0.005
WARM_UP_SECONDS = 60.0
"""The longest wait for the first attempt of a round; an engine on a GPU may take long to start."""
WINDOW_SECONDS = 0.6
"""A kill comes up to this long after a round's first new attempt."""
EARLY_SHARE, EARLY_SECONDS = 0.25, 2.0
"""With `--again`, the share of kills that come this long after the start, attempts or not."""
MANY_REQUESTS = 100_000


def make_inputs(folder: Path, problems: int, reasoner: str) -> list[str]:
    """Problems; the command that runs them with what `write_script` writes."""
    data, script = folder / "sums.jsonl", folder / "script.json"
    rows = ({"id": str(n), "problem": f"{n}+1?", "answer": str(n + 1)} for n in range(problems))
    data.write_text("".join(json.dumps(row | {"kind": "integer"}) + "\n" for row in rows))
    draft = ["--draft-script", str(script)] if reasoner.startswith("spec") else []
    return [
        *(sys.executable, "-m", "pipeline", "run", reasoner, "--data-file", str(data), *draft),
        *("--engine", "scripted", "--script", str(script), "--repeats", str(REPEATS)),
        *("--output-dir", str(folder / "run")),
    ]


def write_script(folder: Path, seconds: float, fails: range) -> None:
    """What both models do from now on: seconds a token, and the requests that fail."""
    script = {"latency": {"decode_token": seconds}, "faults": {"fail": list(fails)}}
    (folder / "script.json").write_text(json.dumps(script))


def run_to_the_end(command: list[str]) -> None:
    """Run it; attempts that failed are no reason to stop here."""
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    if ended.returncode not in {0, 1}:
        raise SystemExit(f"the run did not end by itself: {ended.stderr[-500:]}")


def size(run: Path) -> int:
    """Bytes of attempt lines on the disk."""
    return sum(file.stat().st_size for file in [*attempt_files(run), *run.glob(REPLACED)])


def kill_once(command: list[str], run: Path, wait: float, *, early: bool) -> bool:
    """Start the run, kill it `wait` seconds after its first new bytes, or after its start if early.

    False when it ended itself.
    """
    before = size(run)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + (0 if early else WARM_UP_SECONDS)
    while process.poll() is None and size(run) == before and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def lines(run: Path) -> set[bytes]:
    """Every attempt line, those that were replaced too."""
    files = [*attempt_files(run), *run.glob(REPLACED)]
    return {line for file in files for line in file.read_bytes().splitlines()}


def wait_for_the_writer(run: Path) -> None:
    """Until what was sent before the kill is written: the writing process holds the lock."""
    while True:
        try:
            with RunDirectory(run):
                return
        except UserMistake:
            time.sleep(0.01)


def torn_lines(run: Path) -> int:
    """How many files end in the middle of a line right after a kill."""
    files = attempt_files(run) if (run / PROBLEMS).exists() else []
    return sum(bool(content) and content[-1:] != b"\n" for content in map(Path.read_bytes, files))


def unreadable_lines(run: Path) -> int:
    """Lines that are no attempt, newline or not."""
    bad = 0
    for file in attempt_files(run):
        for line in file.read_bytes().splitlines():
            try:
                records.decode(line)
            except records.CorruptRecord:
                bad += 1
    return bad


def rounds(
    kills: int, command: list[str], run: Path, chance: random.Random, *, again: bool
) -> dict[str, int]:
    """Kill again and again; what was met on the way."""
    met = {"kills": 0, "torn_last_lines_met": 0, "attempts_lost_on_the_way": 0}
    known = lines(run)
    whole = Counter(attempt.key for attempt in read_attempts(run))
    while met["kills"] < kills:
        early = again and chance.random() < EARLY_SHARE
        wait = chance.uniform(0, EARLY_SECONDS if early else WINDOW_SECONDS)
        if not kill_once(command, run, wait, early=early):
            break
        met["kills"] += 1
        met["torn_last_lines_met"] += torn_lines(run)
        if again:
            wait_for_the_writer(run)
            before, known = known, lines(run)
            met["attempts_lost_on_the_way"] += len(before - known)
            now = Counter(attempt.key for attempt in read_attempts(run))
            met["attempts_lost_on_the_way"] += (whole - now).total() + (now - whole).total()
    return met


def shard_rounds(
    kills: int, command: list[str], folder: Path, chance: random.Random
) -> dict[str, int]:
    """Kill launchers and shards until there were so many kills."""
    met: Counter[str] = Counter()
    while met.total() < kills:
        killed = kill_shards_once(command, folder, chance)
        if not killed["launcher"]:
            break
        met += killed
    return {
        "kills": met.total(),
        "launchers_killed": met["launcher"],
        "shards_killed": met["shard"],
        "attempts_lost_on_the_way": 0,
    }


def store_rounds(kills: int, seed: int) -> bool:
    """Kill runs of a store, finish on a machine that has none of it; whether all is there once."""
    from killed_stores import (  # noqa: PLC0415 - moto is not always installed
        ADDRESS,
        kill_store_runs,
        make_bucket,
        serve_store,
        stored_keys,
    )

    chance = random.Random(seed)
    problems = kills * PROBLEMS_PER_STORE_KILL
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["SPECLRM_STAGING_DIR"] = str(folder / "machine-0")
        serve_store(random.Random(seed))
        make_bucket()
        command = [*make_inputs(folder, problems, "baseline"), "--output-dir", ADDRESS]
        write_script(folder, DECODE_SECONDS, range(0))
        met = kill_store_runs(kills, [*command, "--concurrency", "2"], folder, chance)
        os.environ["SPECLRM_STAGING_DIR"] = str(folder / "last-machine")
        write_script(folder, 0, range(0))
        run_to_the_end(command)
    seen, expected = stored_keys(), problems * REPEATS
    result = {
        "of": "a run in a store",
        **met,
        "attempts_expected": expected,
        "attempts_once": sum(count == 1 for count in seen.values()),
        "attempts_missing": expected - len(seen),
        "seed": seed,
    }
    print_result("kill_resume", result)
    return result["attempts_once"] == expected and not met["lines_lost_on_the_way"]


def main() -> None:
    """Kill, resume, finish, count."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help=f"{QUICK_KILLS} kills")
    arguments.add_argument("--kills", type=int, help="another number of kills")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--reasoner", default="baseline")
    arguments.add_argument("--again", choices=["force", "retry-errors"])
    arguments.add_argument("--shards", type=int, default=1)
    arguments.add_argument("--replicas", action="store_true")
    arguments.add_argument("--store", action="store_true", help="needs moto, of the extra dev")
    arguments.add_argument("--actors", action="store_true")
    chosen = arguments.parse_args()
    kills = chosen.kills or (QUICK_KILLS if chosen.quick else KILLS)
    if chosen.replicas:
        with tempfile.TemporaryDirectory() as name:
            came = kill_replicas(kills, Path(name), random.Random(chosen.seed))
        print_result("kill_resume", {"of": "replicas", **came, "seed": chosen.seed})
        once = came["attempts_once"] == came["attempts_expected"] == came["tokens_booked"]
        sys.exit(0 if once else 1)
    if chosen.store:
        sys.exit(0 if store_rounds(kills, chosen.seed) else 1)
    if chosen.actors:
        with tempfile.TemporaryDirectory() as name:
            came = kill_actors(kills, Path(name), random.Random(chosen.seed))
        print_result("kill_resume", {"of": "actors", **came, "seed": chosen.seed})
        once = came["attempts_once"] == came["attempts_expected"] and not came["failed"]
        sys.exit(0 if once and came["as_one_engine_writes_them"] else 1)
    problems, again = kills * PROBLEMS_PER_KILL * chosen.shards, chosen.again
    expected = problems * REPEATS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run, command = folder / "run", make_inputs(folder, problems, chosen.reasoner)
        if again is not None:
            write_script(folder, 0, range(1, MANY_REQUESTS, 1 if again == "retry-errors" else 3))
            run_to_the_end(command)
            command.append(f"--{again}")
        write_script(folder, DECODE_SECONDS, range(1, MANY_REQUESTS if again else 1, 3))
        chance = random.Random(chosen.seed)
        if chosen.shards > 1:
            command += ["--shards", str(chosen.shards), "--concurrency", "4"]
            met = shard_rounds(kills, command, folder, chance)
        else:
            met = rounds(kills, command, run, chance, again=again is not None)
        write_script(folder, 0, range(0))
        run_to_the_end(command)
        seen = Counter(attempt.key for attempt in read_attempts(run))
        result = {
            "again": again,
            "shards": chosen.shards,
            **met,
            "attempts_expected": expected,
            "attempts_once": sum(count == 1 for count in seen.values()),
            "attempts_twice_or_more": sum(count > 1 for count in seen.values()),
            "attempts_missing": expected - len(seen),
            "failed_at_the_end": sum(one.status == "error" for one in read_attempts(run)),
            "unreadable_lines": unreadable_lines(run),
            "seed": chosen.seed,
        }
    print_result("kill_resume", result)
    bad = ("attempts_lost_on_the_way", "attempts_missing", "unreadable_lines", "failed_at_the_end")
    whole = result["attempts_once"] == expected and not any(result[each] for each in bad)
    sys.exit(0 if whole and met["kills"] >= kills else 1)


if __name__ == "__main__":
    main()
