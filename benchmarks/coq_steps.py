"""How fast the coq environment is, measured beside a client that only pumps the same bytes.

    python benchmarks/coq_steps.py                     everything, both backends (some minutes)
    python benchmarks/coq_steps.py --quick             the same with less repetition
    python benchmarks/coq_steps.py --parts tries,open --backends idetop --version 8.16

Figures of harness and bare client are taken in turns, in one run, since wall time moves by tens of per cent
on a shared machine; what counts is their ratio. Prints a table and exits with 0; misses are marked.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bare import BareClient

from prover_coq.environment import CoqEnvironment
from prover_coq.lexer import split_sentences
from prover_coq.options import CoqOptions
from prover_coq.session import CoqSession
from prover_coq.toolchain import CoqToolchain, find_toolchain
from prover_core.types import Advanced, Limits, ProofState, Solved, Theorem

BATCH = 32
LIMITS = Limits(memory_mb=3072)
STATEMENT = (
    "Lemma bench (n m k : nat) (l : list nat) (H : n <= m) (H0 : m <= k) (H1 : l = nil) : "
    "n <= k /\\ length l = 0 /\\ (n = m -> m = n)."
)
REQUIRE = "Require Import Arith Lia.\n"
FAILING = (
    "apply no_such_lemma.", "rewrite H9.", "exact I.", "reflexivity.", "apply H.", "rewrite <- H0.",
    "discriminate.", "destruct q.", "induction x as [|y.", "apply (le_trans n).", "exact (conj H).",
    "specialize (H 3).", "assumption.", "apply le_n_S.", "inversion K.", "unfold foo.", "apply f_equal.",
    "exists 3.",
)  # fmt: skip
LIGHT = (
    "idtac.", "split.", "intuition idtac.", "subst l.", "generalize n.", "pose proof H as H2.",
    "destruct l.", "revert H.", "assert (n <= k).",
)  # fmt: skip
HEAVY = ("split; [lia|].", "repeat split; auto with arith.", "assert (n <= k) by lia.")


def mixed(count: int, seed: int) -> list[str]:
    """60 % failing, 30 % light, 10 % lia or auto."""
    rng = random.Random(seed)
    kinds = rng.choices((FAILING, LIGHT, HEAVY), (60, 30, 10), k=count)
    return [rng.choice(kind) for kind in kinds]


@dataclass
class Setup:
    """What all parts need."""

    backend: str
    options: CoqOptions
    toolchain: CoqToolchain
    quick: bool
    scratch: Path

    @property
    def list_v(self) -> Path:
        """The library's ``Lists/List.v``."""
        lib = self.toolchain.coqlib
        found = [lib / "theories/Lists/List.v", lib / "user-contrib/Stdlib/Lists/List.v"]
        return next(path for path in found if path.exists())

    def prefix(self, place: str) -> str:
        require = REQUIRE if self.toolchain.version < (9,) else f"From Stdlib {REQUIRE}"
        return require if place == "start" else f"{self.list_v.read_text()}\n{require}"

    def environment(self, **changes: object) -> CoqEnvironment:
        return CoqEnvironment(self.options.model_copy(update=changes))


@dataclass
class Row:
    """One line of the table; ``ratio`` is what is judged."""

    what: str
    harness: str
    bare: str
    ratio: float | None
    target: str
    met: bool | None

    def show(self) -> str:
        mark = {True: "ok", False: "MISSED", None: ""}[self.met]
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return f"{self.what:<50} {self.harness:>14} {self.bare:>14} {ratio:>7} {self.target:>9} {mark}"


def open_text(environment: CoqEnvironment, prefix: str, statement: str = STATEMENT) -> CoqSession:
    theorem = environment.theorem(statement, preamble=prefix)
    return environment.open(theorem, LIMITS)


@contextmanager
def bare_at(setup: Setup, prefix: str, statement: str = STATEMENT) -> Iterator[BareClient]:
    """A bare client that stands at the statement, brought there by one Load."""
    path = Path(tempfile.mkdtemp(dir=setup.scratch)) / "prefix.v"
    path.write_text(prefix)
    with BareClient(setup.toolchain, setup.backend, setup.scratch) as bare:
        bare.run([f'Load "{path.with_suffix("")}".', statement])
        yield bare


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def in_turns(first: Callable[[], object], second: Callable[[], object], times: int) -> tuple[float, float]:
    """Medians of the seconds of two actions that are run alternately, and in both orders."""
    one, two = [], []
    for turn in range(times):
        if turn % 2:
            two.append(seconds(second))
            one.append(seconds(first))
        else:
            one.append(seconds(first))
            two.append(seconds(second))
    return statistics.median(one), statistics.median(two)


# --- the parts --------------------------------------------------------------------------------------


def tries(setup: Setup) -> Iterator[Row]:
    """Mixed tries a second, at the start of a file and after all of List.v."""
    rounds = 6 if setup.quick else 16
    for place in ("start", "end"):
        prefix = setup.prefix(place)
        batches = [mixed(BATCH, seed) for seed in range(8)]
        with setup.environment() as env, open_text(env, prefix) as session, bare_at(setup, prefix) as bare:

            def harness(session: CoqSession = session, batches: list[list[str]] = batches) -> None:
                for batch in batches:
                    session.try_tactics(session.root, batch, 5.0)

            def pump(bare: BareClient = bare, batches: list[list[str]] = batches) -> None:
                for batch in batches:
                    bare.tries(batch)

            harness(), pump()
            ours, theirs = in_turns(harness, pump, rounds)
        count = BATCH * len(batches)
        ratio = theirs / ours
        yield Row(
            f"mixed tries/s, {place} of List.v" if place == "end" else "mixed tries/s, start of a file",
            f"{count / ours:.0f}", f"{count / theirs:.0f}", ratio, ">= 0.90", ratio >= 0.9,
        )  # fmt: skip


def _tree(session: CoqSession) -> list[tuple[ProofState, tuple[str, ...]]]:
    """200 states of depth 8 at most, and the way to each."""
    rng = random.Random(1)
    states: list[tuple[ProofState, tuple[str, ...]]] = [(session.root, ())]
    tactics = ("idtac.", "pose proof H as P.", "generalize n.", "intros.", "revert H0; intros H0.")
    while len(states) < 200:
        state, path = rng.choice(states)
        if state.depth < 8:
            tactic = rng.choice(tactics)
            outcome = session.step(state, tactic, 5.0)
            if isinstance(outcome, Advanced):
                states.append((outcome.state, (*path, tactic)))
    return states


def switches(setup: Setup) -> Iterator[Row]:
    """Going to a random one of 200 states and running one tactic there."""
    prefix = setup.prefix("start")
    jumps = 100 if setup.quick else 400
    with setup.environment() as env, open_text(env, prefix) as session, bare_at(setup, prefix) as bare:
        states = _tree(session)
        order = random.Random(2).choices(range(len(states)), k=jumps)
        line: list[tuple[str, int]] = []
        base = bare.tip

        def harness() -> None:
            for index in order:
                session.step(states[index][0], "idtac.", 5.0)

        def pump() -> None:
            """Back to the root of what is shared, and the rest again: the least that can be sent."""
            nonlocal line
            for index in order:
                path = (*states[index][1], "idtac.")
                common = 0
                while common < min(len(line), len(path) - 1) and line[common][0] == path[common]:
                    common += 1
                data, answers = b"", 0
                if common < len(line):
                    data = bare.back(line[common - 1][1] if common else base, line[common][1])
                    answers += 1
                added, numbers = bare.path(path[common:])
                asked, extra = bare.goals()
                bare.pump(data + added + asked, answers + len(numbers) + extra)
                line = [*line[:common], *zip(path[common:], numbers, strict=True)]

        harness(), pump()
        ours, theirs = in_turns(harness, pump, 4 if setup.quick else 8)
    ratio = theirs / ours
    yield Row(
        "switches among 200 states, one tactic each, /s", f"{jumps / ours:.0f}", f"{jumps / theirs:.0f}",
        ratio, ">= 0.90", ratio >= 0.9,
    )  # fmt: skip


def replay(setup: Setup) -> Iterator[Row]:
    """All of List.v, sentence by sentence with goals, against coqc."""
    text = setup.list_v.read_text()
    sentences = [s.text for s in split_sentences(text)]
    copy = setup.scratch / "ListCopy.v"
    copy.write_text(text)

    def harness() -> None:
        with setup.environment() as env, open_text(env, "", "Lemma start : True.") as session:
            engine = session.engine
            engine.rewind(0)
            replies = engine.extend(sentences, 60.0)
            assert len(replies) == len(sentences), replies[-1]

    def compiler() -> None:
        command = [str(setup.toolchain.coqc), "-q", "-noglob", str(copy)]
        subprocess.run(command, check=True, env=setup.toolchain.process_env(), capture_output=True)

    ours, theirs = in_turns(harness, compiler, 2 if setup.quick else 4)
    ratio = ours / theirs
    yield Row(
        f"List.v with goals, {len(sentences)} sentences, s (bare: coqc)", f"{ours:.2f}", f"{theirs:.2f}",
        ratio, "<= 1.60", ratio <= 1.6,
    )  # fmt: skip


def opening(setup: Setup) -> Iterator[Row]:
    """The middle of List.v, in a fresh process."""
    with setup.environment() as env:
        theorems = env.theorems_in(setup.list_v)
        theorem = next(t for t in theorems if t.name.endswith("rev_involutive"))
    assert theorem.span is not None
    before = setup.list_v.read_text()[: theorem.span.start]

    def harness() -> None:
        with setup.environment() as env:
            env.open(theorem, LIMITS).close()

    def pump() -> None:
        with bare_at(setup, before, theorem.statement):
            pass

    ours, theirs = in_turns(harness, pump, 3 if setup.quick else 7)
    yield Row(
        "open List.v:rev_involutive, cold, s", f"{ours:.2f}", f"{theirs:.2f}", ours / theirs, "< 0.70 s",
        ours < 0.7,
    )  # fmt: skip
    with setup.environment(recycle_theorems=10_000) as env:
        ours = seconds(lambda: [env.open(t, LIMITS).close() for t in theorems])
    yield Row(f"walk List.v, {len(theorems)} theorems opened, s", f"{ours:.2f}", "", None, "", None)


def workers(setup: Setup) -> Iterator[Row]:
    """Two threads with a process each, against one, on tactics of lia's weight."""
    prefix = setup.prefix("start")
    statement = "Lemma bench (a b c d : nat) : a <= b -> b < c -> c <= d -> a * 2 + 1 <= d * 2 /\\ a < d + 1."
    batch = [f"intros; split; (lia || fail {i})." for i in range(BATCH)]
    rounds = 8 if setup.quick else 20

    def work(env: CoqEnvironment, theorem: Theorem) -> None:
        with env.open(theorem, LIMITS) as session:
            for _ in range(rounds):
                outcomes = session.try_tactics(session.root, batch, 5.0)
                assert all(isinstance(o, Solved) for o in outcomes)

    def timed(env: CoqEnvironment, theorem: Theorem, threads: int) -> float:
        for session in [env.open(theorem, LIMITS) for _ in range(threads)]:
            session.close()  # the processes are warm now
        running = [threading.Thread(target=work, args=(env, theorem)) for _ in range(threads)]
        started = time.perf_counter()
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return threads * rounds * BATCH / (time.perf_counter() - started)

    with setup.environment() as env:
        theorem = env.theorem(statement, preamble=prefix)
        pairs = [(timed(env, theorem, 2), timed(env, theorem, 1)) for _ in range(2 if setup.quick else 4)]
    two, one = (statistics.median(column) for column in zip(*pairs, strict=True))
    yield Row(
        "lia tries/s, 2 workers (bare: 1 worker)", f"{two:.0f}", f"{one:.0f}", two / one, ">= 1.60",
        two / one >= 1.6,
    )  # fmt: skip


def _own_rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def memory(setup: Setup) -> Iterator[Row]:
    """Resident memory over many steps: the harness stays flat, the prover stays small."""
    steps = 10_000 if setup.quick else 100_000
    with setup.environment() as env, open_text(env, setup.prefix("start")) as session:
        batch = mixed(BATCH, 3)
        for _ in range(50):
            session.try_tactics(session.root, batch, 5.0)
        gc.collect()
        before = _own_rss_mb()
        for _ in range(steps // BATCH):
            session.try_tactics(session.root, batch, 5.0)
        gc.collect()
        growth = _own_rss_mb() - before
        worker = session.engine.rss_mb()
    yield Row(
        f"harness memory, growth over {steps} steps, MiB", f"{growth:.1f}", "", growth, "< 5", growth < 5
    )
    yield Row("worker memory after that, MiB", f"{worker:.0f}", "", worker, "< 200", worker < 200)


PARTS: dict[str, Callable[[Setup], Iterator[Row]]] = {
    "tries": tries,
    "switches": switches,
    "replay": replay,
    "open": opening,
    "workers": workers,
    "memory": memory,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS), help=f"any of {', '.join(PARTS)}")
    parser.add_argument(
        "--backends", default="idetop,serapi", help="one or several of idetop,serapi (default: both)"
    )
    parser.add_argument("--version", default="8.20", help="Coq's version (default: 8.20)")
    parser.add_argument("--quick", action="store_true", help="less repetition")
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    _check(chosen.parts.split(","))
    head = f"{'':<50} {'harness':>14} {'bare':>14} {'ratio':>7} {'target':>9}"
    missed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for backend in chosen.backends.split(","):
            need = "idetop" if backend == "idetop" else "sertop"
            toolchain = find_toolchain(version=chosen.version, need=need)
            options = CoqOptions(backend=backend, bin=toolchain.coqc.parent)
            setup = Setup(backend, options, toolchain, chosen.quick, Path(scratch))
            print(f"\n{backend}, {toolchain.name}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
            print(head)
            for part in chosen.parts.split(","):
                for row in PARTS[part](setup):
                    print(row.show(), flush=True)
                    missed += row.met is False
    print(f"\n{missed} of the targets missed" if missed else "\nall targets met")


def _check(parts: Sequence[str]) -> None:
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        sys.exit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")


if __name__ == "__main__":
    main()
