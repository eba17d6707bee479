"""Small libraries of recorded proofs, made by hand, with the source files that they stand in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prover_core.records import (
    DeclarationRecord,
    GoalRecord,
    HypothesisRecord,
    PositionRecord,
    PremiseRef,
    ProofRecord,
    StateRecord,
    StepRecord,
)
from prover_core.types import Goal, Hypothesis, Span, Theorem

__all__ = ["Library", "goal", "state"]


def goal(conclusion: str, **hypotheses: str) -> Goal:
    """``goal("n = n", n="nat")``."""
    return Goal(tuple(Hypothesis((name,), kind) for name, kind in hypotheses.items()), conclusion)


def state(conclusion: str, **hypotheses: str) -> StateRecord:
    """The same as a recorded state with that one goal."""
    told = tuple(HypothesisRecord(names=(name,), type=kind) for name, kind in hypotheses.items())
    return StateRecord(focused=(GoalRecord(hypotheses=told, conclusion=conclusion),))


@dataclass
class Library:
    """Source files in ``folder``, written by :meth:`add`, and the records and theorems of their proofs."""

    folder: Path
    proofs: list[ProofRecord] = field(default_factory=list)
    theorems: list[Theorem] = field(default_factory=list)
    declarations: list[DeclarationRecord] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        module: str,
        proofs: Sequence[tuple[str, Sequence[tuple[StateRecord, str, Sequence[str]]]]],
        requires: Sequence[str] = (),
    ) -> None:
        """A file of lemmas: name, and steps of state, tactic, and full names of the premises."""
        source = module.replace(".", "/") + ".v"
        text = ""
        made: list[tuple[str, int, int, int]] = []
        for name, steps in proofs:
            statement = f"Lemma {name} : {steps[0][0].focused[0].conclusion}."
            start = len(text)
            text += f"{statement}\nProof.\n" + "".join(f"  {tactic}\n" for _, tactic, _ in steps) + "Qed.\n"
            made.append((statement, start, start + len(statement), len(text) - 1))
        path = self.folder / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.hashes[source] = hashlib.sha256(path.read_bytes()).hexdigest()
        for order, ((name, steps), (statement, start, middle, end)) in enumerate(
            zip(proofs, made, strict=True)
        ):
            self.proofs.append(
                ProofRecord(
                    id=f"{source}:{name}",
                    prover="coq",
                    project="small",
                    file=source,
                    module=module,
                    name=name,
                    qualified_name=f"{module}.{name}",
                    kind="Lemma",
                    statement=statement,
                    position=PositionRecord(start=start, end=middle, line=1, column=1),
                    proof_position=PositionRecord(start=middle + 1, end=end, line=1, column=1),
                    terminator="Qed",
                    states=(*(s for s, _, _ in steps), StateRecord()),
                    steps=tuple(
                        StepRecord(
                            tactic=tactic,
                            before=number,
                            after=number + 1,
                            premises=tuple(
                                PremiseRef(name=p, kind="thm", module=p.rpartition(".")[0]) for p in premises
                            ),
                        )
                        for number, (_, tactic, premises) in enumerate(steps)
                    ),
                    requires=tuple(requires),
                )
            )
            self.theorems.append(
                Theorem(
                    id=f"{source}:{name}",
                    name=name,
                    prover="coq",
                    statement=statement,
                    file=str(path),
                    span=Span(start, middle),
                )
            )
            self.declarations.append(
                DeclarationRecord(
                    name=f"{module}.{name}",
                    kind="thm",
                    module=module,
                    file=source,
                    statement=statement,
                    position=PositionRecord(start=start, end=middle, line=1, column=1),
                    order=order,
                )
            )
