"""Declarations of Lean files: hand-written traps, real benchmark rows, and properties of any text."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proof_records import shared_data

from prover_lean4.document import LeanDecl, LeanDocument, parse_document
from prover_lean4.lexer import is_balanced


def only(source: str) -> LeanDecl:
    (declaration,) = parse_document(source).declarations
    return declaration


def parts(source: str) -> tuple[str, str, str, str]:
    """Name, signature, proof and proof kind of the one declaration."""
    found = only(source)
    proof = "" if found.proof is None else source[found.proof.start : found.proof.end]
    return found.name, source[found.signature.start : found.signature.end], proof, found.proof_kind


def names(document: LeanDocument) -> list[str]:
    return [declaration.qualified_name for declaration in document.declarations]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("theorem a : 1 = 1 := rfl", ("a", "theorem a : 1 = 1", "rfl", "term")),
        ("theorem a : 1 = 1 := by\n  rfl -- c\n-- d\n", ("a", "theorem a : 1 = 1", "by\n  rfl", "by")),
        ("theorem a : 1 = 1 :=\nby rfl", ("a", "theorem a : 1 = 1", "by rfl", "by")),
        (
            "example (x : ℕ := by simp) : x = x :=\n  by rfl",
            ("_example", "example (x : ℕ := by simp) : x = x", "by rfl", "by"),
        ),
        (
            "theorem a.{u} (α : Type u) : p α := h.1.2",
            ("a", "theorem a.{u} (α : Type u) : p α", "h.1.2", "term"),
        ),
        (
            "theorem a : let x := 5; have y := 6\n  x < y := by decide",
            ("a", "theorem a : let x := 5; have y := 6\n  x < y", "by decide", "by"),
        ),
        ("theorem a (x : ℤ) : |x| ≤ 1 := h", ("a", "theorem a (x : ℤ) : |x| ≤ 1", "h", "term")),
        (
            "theorem a (x : ℤ) :\n    |x| + | x + 1 | ≤ 1 := fun | y => z",
            ("a", "theorem a (x : ℤ) :\n    |x| + | x + 1 | ≤ 1", "fun | y => z", "term"),
        ),
        (
            "theorem a : ∀ n, p n\n  | 0 => h\n  | n+1 => a n",
            ("a", "theorem a : ∀ n, p n", "| 0 => h\n  | n+1 => a n", "match"),
        ),
        (
            "def f : Nat → Nat | 0 => 1 | n+1 => f n\ntermination_by n => n",
            ("f", "def f : Nat → Nat", "| 0 => 1 | n+1 => f n\ntermination_by n => n", "match"),
        ),
        (
            "theorem a : match x with | 0 => p | _ => q := by simp",
            ("a", "theorem a : match x with | 0 => p | _ => q", "by simp", "by"),
        ),
        (
            "def f (x : Nat) : Nat :=\n  g x\nwhere\n  g y := y\ndecreasing_by simp",
            ("f", "def f (x : Nat) : Nat", "g x\nwhere\n  g y := y\ndecreasing_by simp", "term"),
        ),
        (
            "instance (priority := low) foo : Add Nat where\n  add := f",
            ("foo", "instance (priority := low) foo : Add Nat", "where\n  add := f", "where"),
        ),
        (
            "instance [Add α] : Add (Option α) := ⟨f⟩",
            ("_instance", "instance [Add α] : Add (Option α)", "⟨f⟩", "term"),
        ),
        (
            "private noncomputable def «a b» := 1",
            ("«a b»", "private noncomputable def «a b»", "1", "term"),
        ),
        (
            "structure S (α : Type) extends T α where\n  /-- doc -/\n  private x : α := y\n  deriving Repr",
            ("S", "structure S (α : Type) extends T α", "", "none"),
        ),
        ("inductive E : Type\n  | a | b (n : Nat)\n  deriving Repr", ("E", "inductive E : Type", "", "none")),
        ("inductive E where | a | b", ("E", "inductive E", "", "none")),
        ("inductive E | a | b", ("E", "inductive E", "", "none")),
        ("class inductive C : Prop | a : C", ("C", "class inductive C : Prop", "", "none")),
        ("class abbrev C (α) := Add α, Mul α", ("C", "class abbrev C (α)", "Add α, Mul α", "term")),
        ("axiom choice : p", ("choice", "axiom choice : p", "", "none")),
        ("opaque f : Nat → Nat", ("f", "opaque f : Nat → Nat", "", "none")),
        ("theorem a : p :=", ("a", "theorem a : p", "", "none")),
        ("theorem a : p", ("a", "theorem a : p", "", "none")),
        (
            "lemma a' : p := by\n  open Nat in\n  set_option x true in simp",
            ("a'", "lemma a' : p", "by\n  open Nat in\n  set_option x true in simp", "by"),
        ),
        ("theorem a : p := by\n  simp\n\nmy_command foo\n", ("a", "theorem a : p", "by\n  simp", "by")),
        ("theorem a : p := by\nsimp\nrfl\n", ("a", "theorem a : p", "by\nsimp\nrfl", "by")),
        ("theorem a : p := by\n  simp [\nfoo, bar]", ("a", "theorem a : p", "by\n  simp [\nfoo, bar]", "by")),
        ("theorem a : p := (by simp\n\ntheorem", ("a", "theorem a : p", "(by simp", "term")),
    ],
)
def test_signature_and_proof(source: str, expected: tuple[str, str, str, str]) -> None:
    assert parts(source) == expected


SCOPES = """\
module
public import Mathlib.Data.Nat
import all Init
prelude
/-! # Title -/
universe u v
open Nat Real (pi) in
/-- Doc of a. -/
@[simp, to_additive (attr := norm_cast)] protected theorem a : p := h
namespace A.B
open scoped Topology
open List hiding map
section S
variable {α : Type u} [Add α]
  (x y : α)
theorem b : p := by
  simp
variable (z : α) in
lemma c : p := h
section
example : p := h
example : p := h
end
end S
theorem _root_.d : p := h
theorem E.e : p := h
mutual
  inductive F | a
  private def g := 1
end
noncomputable section
def k := 1
end
end A.B
deriving instance Repr for F
#eval k
attribute [instance] k
@[inherit_doc] local infixl:65 " +++ " => HAdd.hAdd
theorem l : p := h
/-- Of nothing. -/
"""


def test_scopes_imports_and_what_stands_before_a_declaration() -> None:
    document = parse_document(SCOPES)
    assert document.imports == ("Mathlib.Data.Nat", "Init")
    assert SCOPES[: document.header_end].endswith("prelude")
    assert names(document) == [
        *("a", "A.B.b", "A.B.c", "A.B._example", "A.B._example#2"),
        *("d", "A.B.E.e", "A.B.F", "A.B.g", "A.B.k", "l"),
    ]
    a, b, c, example, _, d, e, f, g, k, last = document.declarations
    assert SCOPES[a.span.start : a.span.end].startswith("open Nat Real (pi) in\n/-- Doc")
    assert SCOPES[a.signature.start : a.signature.end] == "protected theorem a : p"
    assert (a.docstring, a.attributes) == ("Doc of a.", ("simp", "to_additive (attr := norm_cast)"))
    assert (a.modifiers, a.opens, a.line) == (("protected",), ("Nat", "Real (pi)"), 9)
    assert (b.namespaces, b.sections) == (("A", "B"), ("S",))
    assert b.opens == ("scoped Topology", "List hiding map")
    assert b.variables == ("{α : Type u}", "[Add α]", "(x y : α)")
    assert c.variables == (*b.variables, "(z : α)")
    assert example.sections == ("S", "")
    assert (d.name, d.variables, d.sections) == ("d", (), ())
    assert (e.name, e.namespaces) == ("E.e", ("A", "B"))
    assert (f.kind, g.modifiers) == ("inductive", ("private",))
    assert k.sections == ("",)
    assert (last.namespaces, last.opens, last.variables) == ((), (), ())
    assert SCOPES[last.span.start : last.span.end] == "theorem l : p := h"
    words = [command.word for command in document.commands]
    assert words[:6] == ["module", "import", "import", "prelude", "/-!", "universe"]
    assert words[-5:] == ["deriving instance", "#eval", "attribute", "infixl", "theorem"]


def test_unbalanced_brackets_do_not_swallow_the_next_declaration() -> None:
    source = "theorem a : f ( = 1 := by simp [x\n\n@[simp]\ntheorem b : p := h)\nend X\n"
    assert names(parse_document(source)) == ["a", "b"]


def test_words_that_only_look_like_commands() -> None:
    source = """\
def a : Syntax → MacroM Syntax
  | `(theorem $x : $t := $v) => `(def x := 1)
  | s => do
    let stx ← `(command| instance : Foo := x)
    match s.kind with
    | `Lean.Parser.Command.theorem => pure (h.example, "theorem c : p := h")
    | opaque => f (structure := 1) 'd' x.end
    -- theorem d : p
    /- theorem e : p -/
    | _ => open Nat in set_option a.b true in fun x => x
structure S where
  protected x : Nat
  lemma : Nat
theorem b : p := h
"""
    assert names(parse_document(source)) == ["a", "S", "b"]


def minif2f() -> list[str]:
    path = shared_data("minif2f/valid_pairs.jsonl")
    return [json.loads(line)["lean4"] for line in path.read_text().splitlines()]


def test_every_row_of_minif2f() -> None:
    rows = minif2f()
    assert len(rows) == 244
    for text in rows:
        document = parse_document(text)
        assert document.imports == ("Mathlib",)
        assert is_balanced(text) is None
        theorem = document.declarations[-1]
        assert re.search(rf"^theorem {theorem.name}\b", text[theorem.signature.start :])
        assert theorem.proof is not None
        assert (theorem.proof_kind, text[theorem.proof.start :].strip()) == ("by", "by sorry")
        assert text[theorem.signature.end : theorem.proof.start].strip() == ":="
        assert {"BigOperators", "Real", "Nat"} <= set(theorem.opens)


def test_rows_of_the_jsonl_layout_of_other_provers() -> None:
    path = shared_data("minif2f/deepseek_jsonl_valid_sample.jsonl")
    for line in path.read_text().splitlines():
        row = json.loads(line)
        text = row["header"] + row["informal_prefix"] + row["formal_statement"] + "  sorry\n"
        theorem = parse_document(text).declarations[-1]
        assert theorem.name == row["name"]
        assert theorem.docstring
        assert theorem.docstring in row["informal_prefix"]
        assert theorem.proof is not None
        assert text[theorem.proof.start : theorem.proof.end].split() == ["by", "sorry"]


def test_the_minictx_rows() -> None:
    for line in shared_data("lean4/traced/minictx_mathlib_first5.jsonl").read_text().splitlines():
        row = json.loads(line)
        text = row["srcContext"] + row["theoremStatement"] + " := " + row.get("proof", "by sorry")
        document = parse_document(text)
        last = document.declarations[-1]
        assert last.qualified_name.endswith(row["theoremName"].split(".")[-1])
        assert text[last.signature.start : last.signature.end] in row["theoremStatement"]
        assert len(document.declarations) == row_declarations(text)
        assert document.imports


def row_declarations(text: str) -> int:
    """A crude count of declarations: their words at the start of a line, outside comments."""
    bare = re.sub(r"/-.*?-/|--[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.DOTALL)
    word = "theorem|lemma|example|def|abbrev|instance|structure|class|inductive|axiom|irreducible_def"
    start = r"^(?:@\[[^\]]*\]\s*)*(?:set_option .* in\s+)?(?:(?:private|protected|noncomputable|scoped)\s+)*"
    return len(re.findall(rf"{start}(?:{word})\b", bare, flags=re.MULTILINE))


def test_the_leandojo_theorem_statements() -> None:
    for name in ("random_train", "random_val", "random_test", "novel_premises_train"):
        for row in json.loads(shared_data(f"lean4/traced/leandojo_lean4-example_{name}.json").read_text()):
            found = only(row["theorem_statement"] + " by\n  sorry")
            assert found.name == row["full_name"].removeprefix("_root_.").split(".")[-1]
            assert found.proof_kind == "by"
            assert row["theorem_statement"].startswith(
                row["theorem_statement"][found.signature.start : found.signature.end]
            )


def test_every_command_sent_to_the_repl() -> None:
    folder = shared_data("lean4/repl_transcripts/LICENSE").parent
    texts = [text for path in sorted(folder.glob("*.in")) for text in commands_in(path)]
    assert len(texts) > 60
    declaring = re.compile(
        r"^(?:@\[simp\] )?(?:unsafe )?(?:set_option .* in )?(def|theorem|example)\b", re.MULTILINE
    )
    for text in texts:
        kinds = [declaration.kind for declaration in parse_document(text).declarations]
        assert kinds == declaring.findall(text), text


def commands_in(path: Path) -> list[str]:
    found = re.findall(r'"cmd"\s*:\s*("(?:[^"\\]|\\.)*")', path.read_text())
    return [json.loads(text.replace("\n", "\\n")) for text in found]


WORDS = st.lists(
    st.sampled_from(
        [
            *(
                "theorem",
                "lemma",
                "def",
                "instance",
                "example",
                "structure",
                "inductive",
                "class",
                "mutual",
                "end",
            ),
            *(
                "namespace",
                "section",
                "open",
                "in",
                "variable",
                "set_option",
                "@[simp]",
                "@[",
                "/-- d -/",
                "/-! m -/",
            ),
            *(
                "private",
                "local",
                "where",
                "|",
                "=>",
                ":=",
                "by",
                "let",
                "have",
                "match",
                "with",
                "fun",
                "deriving",
            ),
            *(
                "(",
                ")",
                "{",
                "}",
                "⟨",
                "⟩",
                ":",
                "a",
                "B.c",
                "A",
                "1",
                '"s"',
                "-- c\n",
                "import",
                "#eval",
                ",",
                "/-",
            ),
        ]
    ),
    max_size=40,
)
TEXTS = st.one_of(
    st.text(max_size=120),
    st.tuples(WORDS, st.lists(st.sampled_from([" ", "\n", "\n  "]), min_size=41, max_size=41)).map(
        lambda drawn: "".join(word + blank for word, blank in zip(drawn[0], drawn[1], strict=False))
    ),
)


@pytest.mark.parametrize("text", ["instance : Foo deriving", "theorem foo : p deriving Repr"])
def test_a_deriving_clause_is_no_proof(text: str) -> None:
    (declaration,) = parse_document(text).declarations
    assert declaration.proof is None and declaration.proof_kind == "none"


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_any_text_is_read_and_its_parts_lie_in_order(text: str) -> None:
    document = parse_document(text)
    past = 0
    for declaration in document.declarations:
        span, signature, proof = declaration.span, declaration.signature, declaration.proof
        assert past <= span.start <= signature.start < signature.end <= span.end <= len(text)
        past = span.end
        if proof is not None:
            assert signature.end <= proof.start < proof.end == span.end
        assert (proof is None) == (declaration.proof_kind == "none")
        assert not text[span.start].isspace()
        assert declaration.line == text.count("\n", 0, signature.start) + 1
    assert len(set(names(document))) == len(document.declarations)
    assert all(
        a.span.end <= b.span.start for a, b in zip(document.commands, document.commands[1:], strict=False)
    )


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.sampled_from(["theorem zz : p := by\n  simp\n", "/-- d -/\n@[simp] lemma zz : p := h\n"]))
def test_a_declaration_in_the_first_column_is_found_after_any_closed_text(text: str, last: str) -> None:
    if is_balanced(text) is None:
        source = f"{text}\n#exit\n{last}"
        found = parse_document(source).declarations[-1]
        assert found.name == "zz"
        assert source[found.span.start : found.span.end] == last.strip()


@pytest.mark.parametrize(
    "piece",
    [
        "private ",
        "@[",
        "theorem x : | ",
        "open a ",
        "( ",
        "variable (x) ",
        "/-- d -/ ",
        "end a\n",
        "namespace a\n",
    ],
)
def test_time_is_linear_whatever_is_repeated(piece: str) -> None:
    started = time.process_time()
    parse_document(piece * 10_000)
    assert time.process_time() - started < 5
