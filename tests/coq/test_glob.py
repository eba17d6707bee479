"""Reading what the compiler notes about names."""

from __future__ import annotations

import hashlib
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from toolchains import require_coq

from prover_coq.glob import parse_glob, read_glob
from prover_core.errors import DataError

SOURCE = """\
(* é: two bytes *)
Module M.
Section S.
Variable α : nat.
Inductive t := a | b (x : t).
Lemma foo' : α = α + 0. (* é *)
Proof. exact (plus_n_O α). Qed.
End S.
Definition u := a.
Notation "x ++++ y" := (x + y) (at level 50).
End M.
Module N. Definition q := M.u. End N.
Definition u := 0.
Definition twice := M.foo'.
Definition other := (M.u, u, N.q, Sample.M.foo').
"""


@pytest.fixture(params=["8.16", "8.20", pytest.param("9.2", marks=pytest.mark.rocq9)])
def compiled(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A source file with the ``.glob`` file beside it."""
    source = tmp_path / "Sample.v"
    source.write_text(SOURCE, encoding="utf-8")
    coqc = require_coq(request.param).bin / "coqc"
    subprocess.run([coqc, "-q", "-Q", tmp_path, "Lib", source], check=True, timeout=60, capture_output=True)
    return source


def test_positions_are_characters_of_the_text(compiled: Path) -> None:
    text = compiled.read_text(encoding="utf-8")
    glob = read_glob(compiled.with_suffix(".glob"), compiled.read_bytes())
    assert glob is not None
    named = [r for r in glob.references if r.named]
    assert len(named) > 8
    for reference in named:
        written = text[reference.start : reference.end]
        assert reference.name.endswith("." + written.rpartition(".")[2]), (written, reference)
    for definition in glob.definitions:
        if definition.kind in ("prf", "def", "ind", "constr", "var", "sec", "mod"):
            assert text[definition.start : definition.end] == definition.ident.partition(":")[0]


def test_names_are_qualified_without_sections(compiled: Path) -> None:
    glob = read_glob(compiled.with_suffix(".glob"), compiled.read_bytes())
    assert glob is not None
    assert glob.module == "Lib.Sample"
    qualifier = glob.qualifier(compiled.read_text(encoding="utf-8"))
    names = {
        (d.kind, qualifier.definition(d))
        for d in glob.definitions
        if d.kind not in ("binder", "not", "scheme")
    }
    assert names >= {
        ("prf", "Lib.Sample.M.foo'"),
        ("ind", "Lib.Sample.M.t"),
        ("constr", "Lib.Sample.M.b"),
        ("def", "Lib.Sample.M.u"),
        ("def", "Lib.Sample.twice"),
        ("var", "Lib.Sample.M.S.α"),
    }


def test_a_reference_has_the_name_of_what_was_declared(compiled: Path) -> None:
    """Coq's own notes leave out ``M`` after ``End M.``"""
    text = compiled.read_text(encoding="utf-8")
    glob = read_glob(compiled.with_suffix(".glob"), compiled.read_bytes())
    assert glob is not None
    qualifier = glob.qualifier(text)
    own = [r for r in glob.references if r.named and r.module == "Lib.Sample"]
    assert {qualifier.reference(r) for r in own} <= {qualifier.definition(d) for d in glob.definitions}
    last = text.rindex("Definition other")
    assert [qualifier.reference(r) for r in sorted(own, key=lambda r: r.start) if r.start > last] == [
        "Lib.Sample.M.u",
        "Lib.Sample.u",
        "Lib.Sample.N.q",
        "Lib.Sample.M.foo'",
    ]


def test_what_cannot_be_used_by_name_is_told_apart(compiled: Path) -> None:
    glob = read_glob(compiled.with_suffix(".glob"), compiled.read_bytes())
    assert glob is not None
    kinds = Counter(r.kind for r in glob.references if r.named)
    assert not {"lib", "mod", "not", "binder", "sec"} & set(kinds)
    assert any(r.kind == "not" for r in glob.references)


def test_a_glob_file_of_another_text_is_not_used(compiled: Path) -> None:
    changed = compiled.read_bytes() + b"\n"
    assert read_glob(compiled.with_suffix(".glob"), changed) is None
    assert read_glob(compiled.with_suffix(".nothing"), changed) is None


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    source = b"Definition x := 1.\n"
    digest = hashlib.md5(source).hexdigest().encode()
    file = tmp_path / "x.glob"
    file.write_bytes(b"DIGEST " + digest + b"\nFx\ndef 11:11 <> x\nR1:oops\n")
    with pytest.raises(DataError, match=r"x\.glob, line 4: .*R1:oops"):
        read_glob(file, source)


def test_a_compiler_that_broke_off_leaves_half_a_line() -> None:
    glob = parse_glob(b"DIGEST 00\nFx\ndef 11:11 <> x\nR1:", b"Definition x := 1.\n", torn=True)
    assert [d.ident for d in glob.definitions] == ["x"]


def test_a_byte_order_mark_counts_for_coq_and_not_for_us() -> None:
    source = "\ufeffDefinition é := O.".encode()
    #                 3 bytes, then 11 characters, then two bytes
    glob = parse_glob(
        b"DIGEST 00\nFx\ndef 14:15 <> \xc3\xa9\nR20:20 Coq.Init.Datatypes <> O constr\n", source
    )
    text = source.decode("utf-8-sig")
    definition, reference = glob.definitions[0], glob.references[0]
    assert text[definition.start : definition.end] == "é"
    assert text[reference.start : reference.end] == "O"
