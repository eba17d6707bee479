"""Sentence boundaries against Coq's own: ``coqc -time`` prints the byte offsets of each sentence it ran."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from toolchains import CoqInstall, require_coq

from prover_coq.lexer import split_sentences
from prover_coq.project import scratch_options

# Chosen for variety: Unicode, notations, SSReflect, bullets, braces, `...`, Program, modules, records.
FILES = """
    Arith/PeanoNat Arith/Between Bool/Bool Bool/BoolEq Classes/CMorphisms Classes/RelationClasses
    Classes/EquivDec Init/Datatypes Init/Logic Init/Notations Init/Nat
    Lists/StreamMemo Logic/ClassicalFacts Logic/Berardi
    Numbers/NatInt/NZAdd Program/Basics Program/Subset Reals/Rpow_def
    Relations/Operators_Properties Sets/Powerset_facts Sorting/Heap Strings/String Strings/BinaryString
    Structures/Orders Unicode/Utf8 Vectors/VectorDef Wellfounded/Transitive_Closure
    ssr/ssrbool ssr/ssrfun setoid_ring/BinList
""".split()

TRAPS = r"""
Lemma a : True /\ True. Proof. split. 2: { exact I. } 1: { exact I. } Qed.
Lemma b : True /\ True. Proof. refine (conj ?[x] ?[y]). [x]: { exact I. } [ y ] : {exact I. }Qed.
Lemma c : True /\ True. Proof. split. 2: (* x *) {exact I. } {{{exact I. }}} Qed.
Lemma d : True /\ True. Proof with exact I. split... Qed.
Lemma e : (True /\ True) /\ True. Proof. split. { split. all: exact I. } {exact I. } Qed.
Lemma f : True /\ True. Proof. split. -exact I. -(* x. *)exact I. Qed.
Lemma g : (True /\ True) /\ True. Proof. split. **split. ++exact I. ++ all: exact I. ** 1-1: exact I. Qed.
Notation "{ x , .. , y }" := (cons x .. (cons y nil) ..).
Definition x := { 1 , 2 , 3 }.
Definition y (* " *) " *) := 3 .
Definition é'₁ := 1.
"""


def coq_boundaries(install: CoqInstall, file: Path, options: list[str]) -> list[tuple[int, int]]:
    done = subprocess.run(
        [install.bin / "coqc", "-q", "-noglob", "-time", *options, file],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    pairs = re.findall(rb"^Chars (\d+) - (\d+) ", done.stdout, re.MULTILINE)
    # Some commands are reported twice by 8.16.
    return list(dict.fromkeys((int(start), int(end)) for start, end in pairs))


def our_boundaries(text: str) -> list[tuple[int, int]]:
    found = []
    position = byte = 0
    for sentence in split_sentences(text):
        byte += len(text[position : sentence.start].encode())
        end = byte + len(sentence.text.encode())
        found.append((byte, end))
        position, byte = sentence.end, end
    return found


def coqlib(install: CoqInstall) -> Path:
    where = subprocess.run([install.bin / "coqc", "-where"], capture_output=True, text=True, check=True)
    return Path(where.stdout.strip())


@pytest.mark.parametrize("version", ["8.16", "8.20"])
def test_standard_library_is_cut_as_coq_cuts_it(version: str, tmp_path: Path) -> None:
    install = require_coq(version)
    library = coqlib(install) / "theories"
    checked = 0
    for name in FILES:
        original = library / f"{name}.v"
        scratch = tmp_path / name
        scratch.mkdir(parents=True)
        copy = scratch / original.name
        copy.write_bytes(original.read_bytes())
        expected = coq_boundaries(install, copy, scratch_options(original, (), scratch))
        assert our_boundaries(original.read_text(encoding="utf-8")) == expected, name
        checked += len(expected)
    assert checked > 3000


@pytest.mark.parametrize("version", ["8.16", "8.20", pytest.param("9.2", marks=pytest.mark.rocq9)])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_traps_are_cut_as_coq_cuts_them(version: str, line_end: str, tmp_path: Path) -> None:
    install = require_coq(version, "coqtop")
    file = tmp_path / "traps.v"
    text = TRAPS.replace("\n", line_end)
    file.write_bytes(text.encode())
    expected = coq_boundaries(install, file, [])
    assert our_boundaries(text) == expected
    assert len(expected) > 60
