"""How many theorems of Coq's standard library the tactic portfolio proves, and what each template gives.

    python benchmarks/coq_portfolio.py Bool Arith Lists --seconds 20 --sample 60
    python benchmarks/coq_portfolio.py --half train ZArith Sorting Relations Vectors --seconds 5 --templates

Priors are tuned on the ``train`` half (by a hash of the theorem's file and name); ``report`` is the other. Every proof is verified by a fresh ``coqc`` with ``--verify``. Figures are of
one worker; run on a quiet machine for wall-time budgets to mean something.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prover_coq.environment import CoqEnvironment
from prover_coq.options import CoqOptions
from prover_core.contracts import (
    PolicyRequest,
    ProofSession,
    SearchObserver,
    SearchStatus,
    StepEvent,
    Suggest,
)
from prover_core.errors import ProverError
from prover_core.search import BestFirstOptions, BestFirstSearch
from prover_core.types import Advanced, Budget, Limits, ProofState, Solved, Suggestion, Theorem, TimedOut
from prover_models.portfolio import PortfolioPolicy


@dataclass
class Template:
    """What one template did over all searches."""

    tries: int = 0
    accepted: int = 0
    new: int = 0
    timed_out: int = 0
    on_path: int = 0
    seconds: float = 0.0


@dataclass
class Tally(SearchObserver):
    """Events of one search."""

    events: list[StepEvent] = field(default_factory=list)

    def on_step(self, event: StepEvent) -> None:
        self.events.append(event)

    def add_to(self, table: dict[str, Template], path: Sequence[int]) -> None:
        steps = set(path)
        for event in self.events:
            row = table.setdefault(event.suggestion.source, Template())
            row.tries += 1
            row.seconds += event.outcome.seconds
            row.accepted += isinstance(event.outcome, Advanced | Solved)
            row.new += event.child is not None
            row.timed_out += isinstance(event.outcome, TimedOut)
            row.on_path += event.child is not None and event.child in steps


@dataclass
class Attempt:
    """How one theorem went."""

    theorem: str
    statement: str
    status: str
    seconds: float
    tries: int
    expansions: int
    proof: tuple[str, ...] = ()
    seconds_model: float = 0.0
    seconds_env: float = 0.0


def main() -> int:
    args = _arguments()
    environment = CoqEnvironment(CoqOptions(version=args.version))
    library = Path(environment.toolchain().paths["coqlib"]) / "theories"
    theorems = _theorems(environment, library, args)
    policy = PortfolioPolicy()
    policy.bind(environment)
    search = BestFirstSearch(BestFirstOptions(**json.loads(args.search)))
    table: dict[str, Template] = {}
    attempts: list[Attempt] = []
    for theorem in theorems:
        attempt = _attempt(environment, policy, search, theorem, args, table)
        attempts.append(attempt)
        if not args.quiet:
            proof = "  ".join(attempt.proof) or " ".join(attempt.statement.split())[:110]
            print(
                f"{attempt.status:14} {attempt.seconds:5.1f}s {attempt.tries:5} {attempt.theorem:50} {proof}"
            )
            sys.stdout.flush()
    environment.close()
    if args.templates:
        _print_templates(table)
    if args.json:
        Path(args.json).write_text(json.dumps([vars(a) for a in attempts], indent=1), encoding="utf-8")
    _print_summary(attempts)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "areas", nargs="+", help="folders of the standard library, or files: Bool Lists/List.v"
    )
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--tries", type=int, default=None)
    parser.add_argument("--sample", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--half", choices=("train", "report", "all"), default="all")
    parser.add_argument("--version", default=None, help="Coq version to take, e.g. 8.20")
    parser.add_argument("--search", default="{}", help="options of best-first, as JSON")
    parser.add_argument("--only", default="", help="theorems whose id contains this")
    parser.add_argument("--suggestions", type=int, default=PortfolioPolicy.suggestions)
    parser.add_argument("--templates", action="store_true", help="print what each template did")
    parser.add_argument("--verify", action="store_true", help="count only what coqc accepts")
    parser.add_argument("--json", default=None, help="write all attempts to this file")
    parser.add_argument("--quiet", action="store_true")
    return parser.parse_args()


def _theorems(environment: CoqEnvironment, library: Path, args: argparse.Namespace) -> list[Theorem]:
    found: list[Theorem] = []
    for area in args.areas:
        where = library / area
        for path in [where] if where.is_file() else sorted(where.rglob("*.v")):
            for theorem in environment.theorems_in(path):
                name = f"{path.relative_to(library)}:{theorem.name}"
                provable = theorem.proof_span is not None and theorem.metadata["terminator"] in (
                    "Qed",
                    "Defined",
                )
                if provable and args.only in name and args.half in ("all", _half(name)):
                    found.append(theorem)
    if args.sample is not None and args.sample < len(found):
        found = random.Random(args.seed).sample(found, args.sample)
    return sorted(found, key=lambda theorem: (theorem.file, theorem.span.start if theorem.span else 0))


def _half(name: str) -> str:
    return "train" if hashlib.sha256(name.encode()).digest()[0] % 2 else "report"


def _attempt(
    environment: CoqEnvironment,
    policy: PortfolioPolicy,
    search: BestFirstSearch,
    theorem: Theorem,
    args: argparse.Namespace,
    table: dict[str, Template],
) -> Attempt:
    tally = Tally()
    started = time.monotonic()
    limits = Limits()
    try:
        with environment.open(theorem, limits) as session:
            suggest = _suggest(policy, session, theorem, args.suggestions)
            result = search.run(session, suggest, Budget(seconds=args.seconds, tries=args.tries), tally)
        status = result.status.value
        if args.verify and result.proof is not None:
            verdict = environment.verify(theorem, result.proof, limits)
            status = "proved" if verdict.proved else f"not verified: {verdict.status} {verdict.log[:200]}"
    except ProverError as error:
        status = f"{type(error).__name__}: {str(error)[:200]}"
        return Attempt(theorem.id, theorem.statement, status, time.monotonic() - started, 0, 0)
    tally.add_to(table, result.path)
    return Attempt(
        theorem.id,
        theorem.statement,
        status,
        result.seconds,
        result.tries,
        result.expansions,
        result.proof.tactics if result.proof else (),
        result.seconds_model,
        result.seconds_env,
    )


def _suggest(policy: PortfolioPolicy, session: ProofSession, theorem: Theorem, k: int) -> Suggest:
    def suggest(states: Sequence[ProofState]) -> list[list[Suggestion]]:
        requests = [
            PolicyRequest(
                theorem, state, premises=tuple(session.premises(state)) if policy.wants_premises else ()
            )
            for state in states
        ]
        return policy.suggest(requests, k)

    return suggest


def _print_templates(table: dict[str, Template]) -> None:
    heads = ("tries", "accepted", "new", "on path", "timeouts", "ms/try", "path/new")
    print(f"\n{'template':20}" + "".join(f"{head:>9}" for head in heads))
    for name, row in sorted(table.items(), key=lambda item: -item[1].on_path):
        share = row.on_path / row.new if row.new else 0.0
        counts = (row.tries, row.accepted, row.new, row.on_path, row.timed_out)
        numbers = "".join(f"{count:9}" for count in counts)
        print(f"{name:20}{numbers}{1000 * row.seconds / max(1, row.tries):9.2f}{share:9.3f}")


def _print_summary(attempts: Sequence[Attempt]) -> None:
    counts = Counter(attempt.status for attempt in attempts)
    found = [a for a in attempts if a.status in (SearchStatus.FOUND.value, "proved")]
    print(f"\n{len(found)} of {len(attempts)} = {len(found) / max(1, len(attempts)):.1%}")
    areas = Counter(attempt.theorem.partition(":")[0] for attempt in attempts)
    good = Counter(attempt.theorem.partition(":")[0] for attempt in found)
    print("  ".join(f"{area} {good[area]}/{n}" for area, n in sorted(areas.items())))
    print(dict(counts.most_common(12)))
    seconds, tries = sum(a.seconds for a in attempts), sum(a.tries for a in attempts)
    env, model = sum(a.seconds_env for a in attempts), sum(a.seconds_model for a in attempts)
    rate = tries / max(seconds, 1e-9)
    print(f"{seconds:.0f} s (prover {env:.0f} s, policy {model:.0f} s), {tries} tries, {rate:.0f} tries/s")


if __name__ == "__main__":
    raise SystemExit(main())
