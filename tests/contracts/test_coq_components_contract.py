"""The kits for data sources and policies on what the Coq plugin ships."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from toolchains import any_coq

from prover_coq.environment import CoqEnvironment
from prover_coq.options import CoqOptions
from prover_coq.sources.files import CoqFiles
from prover_coq.sources.stdlib import CoqStdlib
from prover_coq.sources.theorem_list import TheoremList
from prover_core.contracts import DataSource, Policy, ProofEnvironment
from prover_core.testing import DataSourceContract, PolicyContract
from prover_models.portfolio import PortfolioPolicy

_FILE = """\
Require Import Arith.

Module Inner.
  Lemma first (α : nat) : α + 0 = α.
  Proof. auto with arith. Qed.
End Inner.

Theorem second : forall n m : nat, n = m -> m = n.
Proof. congruence. Qed.
"""


class OnCoq(DataSourceContract):
    """Sources are made in a folder of the test's own."""

    place: ClassVar[Path]

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        type(self).place = tmp_path
        (tmp_path / "_CoqProject").write_text("-Q . Example\n")
        (tmp_path / "File.v").write_text(_FILE, encoding="utf-8")
        (tmp_path / "list.txt").write_text("# both\nFile.v:second\nFile.v:Inner.first\n")

    def make_environment(self) -> ProofEnvironment:
        return CoqEnvironment(CoqOptions(bin=any_coq().bin))


class TestCoqFiles(OnCoq):
    def make_source(self) -> DataSource:
        return CoqFiles(CoqFiles.Options(), str(self.place))

    def make_broken(self) -> DataSource:
        return CoqFiles(CoqFiles.Options(), str(self.place / "nowhere"))


class TestTheoremList(OnCoq):
    def make_source(self) -> DataSource:
        return TheoremList(TheoremList.Options(), str(self.place / "list.txt"))

    def make_broken(self) -> DataSource:
        return TheoremList(TheoremList.Options(), str(self.place / "none.txt"))


class TestCoqStdlib(OnCoq):
    def make_source(self) -> DataSource:
        return CoqStdlib(CoqStdlib.Options(), "Bool/BoolEq")

    def make_broken(self) -> DataSource:
        return CoqStdlib(CoqStdlib.Options(), "NoSuchArea")


class TestPortfolioPolicy(PolicyContract):
    """The `tactics` preset."""

    example = (
        "Lemma kit_example : forall n m : nat, n = m -> m = n.",
        ["intros n m H.", "symmetry.", "exact H."],
    )

    def make_policy(self) -> Policy:
        return PortfolioPolicy()

    def make_environment(self) -> ProofEnvironment:
        return CoqEnvironment(CoqOptions(bin=any_coq().bin))
