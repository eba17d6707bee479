"""The database of steps: what was done in which state, where; as arrays, in memory and on disk.

A row is a tactic of a proof. Rows of one proof stand together, proofs in the order of their file, files in
the order of the dataset. ``FOLDER/index.npz`` holds the numbers, ``FOLDER/tactics.json`` the texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from prover_core.data.states import to_goal
from prover_core.errors import DataError
from prover_core.records import ProofRecord
from prover_models.knn.features import FEATURES, FEATURES_VERSION, goal_features
from prover_models.knn.goalview import Entry, view_goal
from prover_models.knn.slots import Lemma, Recorded, record_tactic

__all__ = ["INDEX_VERSION", "FilePart", "Index", "IndexBuilder", "ProofPlace", "check_dataset"]

INDEX_VERSION: Final = f"1.{FEATURES_VERSION}"
_LONGEST_TACTIC: Final = 400


class FilePart(NamedTuple):
    """A source file of the database."""

    source: str
    sha256: str
    module: str
    project: str
    requires: tuple[str, ...]
    """Modules loaded at its last proof."""


class ProofPlace(NamedTuple):
    """A proof of the database: where it stands, and which rows are its steps."""

    id: str
    file: int
    start: int
    """First character of its statement."""
    end: int
    """Just past the end of the proof."""
    first_row: int
    rows: int
    sections: str
    modules: str
    requires: int
    """Index into :attr:`Index.requires`."""


@dataclass(slots=True)
class Index:
    """The database. Never changed once made, so threads share it."""

    files: list[FilePart]
    proofs: list[ProofPlace]
    requires: list[tuple[str, ...]]
    """Distinct sets of loaded modules."""
    tactics: list[Recorded]
    """Distinct tactics with their slots."""
    tactic_of: NDArray[np.int32]
    """Row -> index into :attr:`tactics`."""
    proof_of: NDArray[np.int32]
    """Row -> index into :attr:`proofs`."""
    matrix: Any
    """Sparse rows (CSR) of ones: state x feature."""
    by_feature: Any
    """The same by feature (CSC of :attr:`matrix`): which rows have it."""

    @property
    def rows(self) -> int:
        return int(self.matrix.shape[0])

    def save(self, folder: Path) -> None:
        """Write to ``folder``, whole or not at all.

        :raises OSError: it cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        numbers, texts = folder / "index.npz", folder / "tactics.json"
        with (folder / ".index.tmp").open("wb") as file:
            np.savez(
                file,
                tactic_of=self.tactic_of,
                proof_of=self.proof_of,
                indices=self.matrix.indices.astype(np.int32),
                ends=self.matrix.indptr.astype(np.int64),
            )
        data = {
            "version": INDEX_VERSION,
            "files": self.files,
            "proofs": self.proofs,
            "requires": self.requires,
            "tactics": [[t.text, t.slots, t.lemmas] for t in self.tactics],
        }
        (folder / ".tactics.tmp").write_text(json.dumps(data), encoding="utf-8")
        (folder / ".index.tmp").replace(numbers)
        (folder / ".tactics.tmp").replace(texts)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read what :meth:`save` wrote; ``None``: there is none, or not of this version, or it is damaged."""
        try:
            data = json.loads((folder / "tactics.json").read_text(encoding="utf-8"))
            if data["version"] != INDEX_VERSION:
                return None
            with (folder / "index.npz").open("rb") as file, np.load(file, allow_pickle=False) as numbers:
                return cls._of(
                    [FilePart(s, h, m, p, tuple(r)) for s, h, m, p, r in data["files"]],
                    [ProofPlace(*proof) for proof in data["proofs"]],
                    [tuple(modules) for modules in data["requires"]],
                    [_tactic(*tactic) for tactic in data["tactics"]],
                    numbers["tactic_of"],
                    numbers["proof_of"],
                    numbers["indices"],
                    numbers["ends"],
                )
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile):
            return None

    @classmethod
    def _of(
        cls,
        files: list[FilePart],
        proofs: list[ProofPlace],
        requires: list[tuple[str, ...]],
        tactics: list[Recorded],
        tactic_of: NDArray[np.int32],
        proof_of: NDArray[np.int32],
        indices: NDArray[np.int32],
        ends: NDArray[np.int64],
    ) -> Self:
        from scipy.sparse import csr_array

        ones = np.ones(len(indices), dtype=np.float32)
        matrix = csr_array((ones, indices, ends), shape=(len(tactic_of), FEATURES))
        return cls(files, proofs, requires, tactics, tactic_of, proof_of, matrix, matrix.tocsc())


def _tactic(text: str, slots: list[list[Any]], lemmas: list[list[str]]) -> Recorded:
    return Recorded(text, tuple(Entry(*slot) for slot in slots), tuple(Lemma(*lemma) for lemma in lemmas))


class IndexBuilder:
    """Takes proofs and makes an :class:`Index` of their steps."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._parts: list[FilePart] = []
        self._proofs: list[ProofPlace] = []
        self._requires: dict[tuple[str, ...], int] = {}
        self._tactics: dict[Recorded, int] = {}
        self._tactic_of: list[int] = []
        self._proof_of: list[int] = []
        self._indices: list[NDArray[np.int32]] = []
        self._lengths: list[int] = []

    def add_all(
        self,
        proofs: Iterable[ProofRecord],
        hashes: dict[str, str],
        progress: Callable[[int], None] | None = None,
    ) -> Self:
        """Add proofs; ``hashes``: file -> SHA-256 of its text; ``progress`` is told how many are done."""
        for number, proof in enumerate(proofs, 1):
            self.add(proof, hashes.get(proof.file, ""))
            if progress is not None and number % 500 == 0:
                progress(number)
        return self

    def add(self, proof: ProofRecord, sha256: str) -> None:
        """Add a proof's steps. One without a position is left out: nobody could say what comes before it."""
        position, ending = proof.position, proof.proof_position
        if position is None:
            return
        number = self._files.setdefault(proof.file, len(self._files))
        part = FilePart(proof.file, sha256, proof.module, proof.project, proof.requires)
        if number == len(self._parts):
            self._parts.append(part)
        else:
            self._parts[number] = part
        first = len(self._tactic_of)
        for step in proof.iterate(structural=False):
            if step.before is not None and step.before.focused:
                self._add_step(proof, step.before.focused[0], step.record)
        self._proofs.append(
            ProofPlace(
                id=proof.id,
                file=number,
                start=position.start,
                end=max(position.end, ending.end if ending is not None else 0),
                first_row=first,
                rows=len(self._tactic_of) - first,
                sections="/".join(proof.sections),
                modules=".".join(proof.modules),
                requires=self._requires.setdefault(proof.requires, len(self._requires)),
            )
        )

    def _add_step(self, proof: ProofRecord, goal_record: Any, step: Any) -> None:
        if len(step.tactic) > _LONGEST_TACTIC or proof.terminator == "Proof term":
            return
        goal = to_goal(goal_record)
        premises = [(premise.name, premise.module) for premise in step.premises]
        tactic = record_tactic(step.tactic, view_goal(goal), premises)
        features = np.array(goal_features(goal), dtype=np.int32)
        self._tactic_of.append(self._tactics.setdefault(tactic, len(self._tactics)))
        self._proof_of.append(len(self._proofs))
        self._indices.append(features)
        self._lengths.append(len(features))

    def build(self) -> Index:
        """The index of all that was added."""
        ends = np.concatenate([[0], np.cumsum(np.array(self._lengths, dtype=np.int64))]).astype(np.int64)
        return Index._of(
            self._parts,
            self._proofs,
            list(self._requires),
            list(self._tactics),
            np.array(self._tactic_of, dtype=np.int32),
            np.array(self._proof_of, dtype=np.int32),
            np.concatenate(self._indices) if self._indices else np.zeros(0, dtype=np.int32),
            ends,
        )


def check_dataset(index: Index, path: Path) -> None:
    """Whether there is anything to learn from.

    :raises DataError: there is not.
    """
    if not index.rows:
        message = f"{path} holds no proof with states and positions, so there is nothing to learn from"
        raise DataError(message)
