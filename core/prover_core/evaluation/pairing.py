"""The same problem in several provers: the pairing table, and how far its statements are known to agree."""

from __future__ import annotations

import csv
import enum
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prover_core.errors import DataError

__all__ = ["PROVER_ALIASES", "Equivalence", "Pair", "PairingTable", "pairs_csv", "prover_name"]


class Equivalence(enum.StrEnum):
    """How far two statements of one problem are known to say the same."""

    CERTIFIED = "certified"
    """A machine-checked argument says so."""
    AUDITED = "audited"
    """A person compared them, or put them right, and stands for it."""
    DIFFERS = "differs"
    """Somebody found that they do not say the same."""
    UNKNOWN = "unknown"
    """Nobody has looked, or nobody has said so."""

    @property
    def vouched(self) -> bool:
        """Somebody, or something, says that the statements agree."""
        return self in (Equivalence.CERTIFIED, Equivalence.AUDITED)


PROVER_ALIASES: Mapping[str, str] = {"rocq": "coq", "lean": "lean4", "lean 4": "lean4"}
"""What people call a prover -> its name in our records."""


def prover_name(text: str) -> str:
    """The name under which our records know a prover: ``Rocq`` -> ``coq``."""
    name = text.strip().lower()
    return PROVER_ALIASES.get(name, name)


@dataclass(frozen=True, slots=True)
class Pair:
    """One problem, and the theorem that states it in each prover."""

    problem: str
    ids: Mapping[str, str]
    """Prover -> theorem id."""
    equivalence: Equivalence = Equivalence.UNKNOWN
    note: str = ""
    """Where the flag comes from, in words."""
    split: str = ""
    area: str = ""
    statements: Mapping[str, str] = field(default_factory=dict)
    """Prover -> source text, where the table has it."""

    @property
    def complete(self) -> bool:
        """Stated in at least two provers."""
        return len(self.ids) > 1


class PairingTable:
    """Problems by name, and by the theorems that state them."""

    def __init__(
        self, name: str, pairs: Iterable[Pair], *, source: str = "", notes: Sequence[str] = ()
    ) -> None:
        """Take the pairs, in order.

        :raises DataError: two problems have one name, or claim one theorem.
        """
        self.name = name
        self.source = source
        """File or folder that it was read from."""
        self.notes = tuple(notes)
        """What a reader of the table should know, in words."""
        self.pairs = tuple(pairs)
        self._exact: dict[tuple[str, str], Pair] = {}
        self._folded: dict[tuple[str, str], Pair | None] = {}
        """``None``: several, told apart by nothing but the case of letters."""
        problems: dict[str, Pair] = {}
        mistakes: list[str] = []
        for pair in self.pairs:
            if problems.setdefault(pair.problem, pair) is not pair:
                mistakes.append(f"there are two problems called {pair.problem}")
            for prover, theorem in pair.ids.items():
                other = self._exact.setdefault((prover, theorem), pair)
                if other is not pair:
                    mistakes.append(
                        f"{prover} theorem {theorem} is given for {other.problem} and for {pair.problem}"
                    )
                folded = (prover, theorem.casefold())
                self._folded[folded] = pair if self._folded.get(folded, pair) is pair else None
        if mistakes:
            raise DataError(listed(f"{source or name} cannot be used as a pairing table", mistakes))

    @property
    def provers(self) -> tuple[str, ...]:
        """The provers that it speaks of, sorted."""
        return tuple(sorted({prover for pair in self.pairs for prover in pair.ids}))

    def counts(self) -> Mapping[Equivalence, int]:
        """Complete pairs by flag; every flag is there."""
        found = Counter(pair.equivalence for pair in self.pairs if pair.complete)
        return {flag: found[flag] for flag in Equivalence}

    def find(self, prover: str, theorem_id: str, name: str = "") -> Pair | None:
        """The pair that a theorem of a run belongs to: by id, then by id and name in any letter case."""
        found = self._exact.get((prover, theorem_id))
        for text in (theorem_id, name):
            if found is None and text:
                found = self._folded.get((prover, text.casefold()))
        return found

    def names(self, problem: str, prover: str, theorem_id: str) -> bool:
        """Whether it gives this very id for the problem, and not only one in other letters or a name."""
        found = self._exact.get((prover, theorem_id))
        return found is not None and found.problem == problem

    def __len__(self) -> int:
        return len(self.pairs)


def pairs_csv(table: PairingTable) -> str:
    """The table in the form that ``--pairs FILE.csv`` takes back."""
    provers = table.provers
    stated = [prover for prover in provers if any(pair.statements.get(prover) for pair in table.pairs)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    texts = (f"statement_{prover}" for prover in stated)
    writer.writerow(["problem", *provers, "equivalence", "note", "split", "area", *texts])
    for pair in table.pairs:
        cells = [pair.problem, *(pair.ids.get(prover, "") for prover in provers)]
        cells += [pair.equivalence.value, pair.note, pair.split, pair.area]
        writer.writerow([*cells, *(pair.statements.get(prover, "") for prover in stated)])
    return out.getvalue()


def listed(head: str, mistakes: Sequence[str], most: int = 20) -> str:
    """An error of several lines: what it is about, and each mistake, the first ``most`` of them."""
    shown = [f"  {mistake}" for mistake in mistakes[:most]]
    more = [f"  and {len(mistakes) - most} more"] if len(mistakes) > most else []
    return "\n".join([f"{head}:", *shown, *more])
