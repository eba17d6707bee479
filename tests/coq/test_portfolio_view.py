"""What the portfolio reads off the text of a goal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prover_coq.portfolio_view import Binder, TypeKind, identifiers, type_kind, view_term


@pytest.mark.parametrize(
    ("text", "binders", "premises", "body"),
    [
        ("n = m", (), (), "n = m"),
        ("forall n : nat, n = n", (("n", "nat"),), (), "n = n"),
        ("forall n m : nat, n = m", (("n", "nat"), ("m", "nat")), (), "n = m"),
        (
            "forall (A : Type) (l l' : list A) (x : A), In x l -> In x (l ++ l')",
            (("A", "Type"), ("l", "list A"), ("l'", "list A"), ("x", "A")),
            ("In x l",),
            "In x (l ++ l')",
        ),
        ("forall {A} [B] x, P x", (("A", ""), ("B", ""), ("x", "")), (), "P x"),
        (
            "forall x {y : nat} (z : A -> B), P x y z",
            (("x", ""), ("y", "nat"), ("z", "A -> B")),
            (),
            "P x y z",
        ),
        ("A -> (B -> C) -> D", (), ("A", "(B -> C)"), "D"),
        ("forall x, P x -> forall y, Q x y -> R", (("x", ""), ("y", "")), ("P x", "Q x y"), "R"),
        ("exists x, P x -> Q", (), (), "exists x, P x -> Q"),
        ("A /\\ (exists x, P x) -> B", (), ("A /\\ (exists x, P x)",), "B"),
        ("P (fun x => x) -> Q", (), ("P (fun x => x)",), "Q"),
        ("(forall x, P x -> Q) -> R", (), ("(forall x, P x -> Q)",), "R"),
        ("match x with 0 => A -> B | _ => C end -> D", (), ("match x with 0 => A -> B | _ => C end",), "D"),
        ("if b then A else B -> C", (), (), "if b then A else B -> C"),
        ("∀ x : nat, x = x", (("x", "nat"),), (), "x = x"),
        ("forall α : ℕ, α = α", (("α", "ℕ"),), (), "α = α"),
        ('forall s : string, s = "a, b -> c"', (("s", "string"),), (), 's = "a, b -> c"'),
        ("forall n : nat,\n  n = n", (("n", "nat"),), (), "n = n"),
        ("forall x", (), (), "forall x"),
        ("", (), (), ""),
    ],
)
def test_prefix(
    text: str, binders: tuple[tuple[str, str], ...], premises: tuple[str, ...], body: str
) -> None:
    view = view_term(text)
    assert view.binders == tuple(Binder(*binder) for binder in binders)
    assert view.premises == premises
    assert view.body == body
    assert view.prefix.count("v") == len(binders)
    assert view.prefix.count("p") == len(premises)


@pytest.mark.parametrize(
    ("text", "head", "left", "right"),
    [
        ("n + m = m + n", "=", "n + m", "m + n"),
        ("S n <= m", "<=", "S n", "m"),
        ("~ a = b", "~", "", "a = b"),
        ("a <> b", "<>", "a", "b"),
        ("A /\\ B \\/ C", "\\/", "A /\\ B", "C"),
        ("A /\\ B <-> C \\/ D", "<->", "A /\\ B", "C \\/ D"),
        ("(A <-> B) /\\ C", "/\\", "(A <-> B)", "C"),
        ("((a = b))", "=", "a", "b"),
        ("x = y :> nat", "=", "x", "y"),
        ("exists x, x = y", "exists", "", ""),
        ("A /\\ exists x, B \\/ C", "/\\", "A", "exists x, B \\/ C"),
        ("In x (l ++ l')", "In", "", ""),
        ("@eq nat x y", "eq", "", ""),
        ("match b with true => 0 | false => 1 end = n", "=", "match b with true => 0 | false => 1 end", "n"),
        ("forall x, P x -> x = y", "=", "x", "y"),
        ("False", "False", "", ""),
        ("", "", "", ""),
    ],
)
def test_head(text: str, head: str, left: str, right: str) -> None:
    view = view_term(text)
    assert (view.head, view.left, view.right) == (head, left, right)


def test_scrutinees_are_the_terms_looked_at_innermost_first() -> None:
    view = view_term(
        "(if f (g x) y then match h n with 0 => a | S p => b end else c) = match z as w with _ => 0 end"
    )
    assert view.scrutinees == ("z", "h n", "f (g x) y")


def test_constants_and_symbols_leave_out_binders_and_keywords() -> None:
    view = view_term("forall l : list A, rev (rev l) = l ++ [] -> if b then nat else nat")
    assert view.premises == ("rev (rev l) = l ++ []",)
    view = view_term("forall l, length (rev l) = length l + 0")
    assert view.constants == ("length", "rev")
    assert view.symbols == {"length", "rev", "=", "+", "0"}
    assert identifiers("Nat.add (f x) [y]") == {"Nat.add", "f", "x", "y"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("nat", TypeKind.DATA),
        ("list A", TypeKind.DATA),
        ("A", TypeKind.DATA),
        ("option (list nat)", TypeKind.DATA),
        ("Type", TypeKind.SORT),
        ("A -> A -> Prop", TypeKind.SORT),
        ("nat -> nat", TypeKind.FUNCTION),
        ("n <= m", TypeKind.FACT),
        ("In x l", TypeKind.FACT),
        ("NoDup l", TypeKind.FACT),
        ("~ P", TypeKind.FACT),
        ("exists x, P x", TypeKind.FACT),
        ("forall x, x = x", TypeKind.FACT),
        ("n = m -> False", TypeKind.FACT),
    ],
)
def test_type_kind(text: str, kind: str) -> None:
    assert type_kind(text) == kind


@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    view = view_term(text)
    assert set(view.prefix) <= {"v", "p"}
    type_kind(text)


_NAMES = st.from_regex(r"[a-z][a-z0-9_']{0,4}", fullmatch=True).filter(
    lambda name: (
        name not in {"as", "at", "by", "do", "else", "end", "for", "fun", "if", "in", "is", "let"}
        and name
        not in {"match", "then", "using", "where", "with", "fix", "cofix", "forall", "return", "exists"}
    )
)
_TYPES = st.sampled_from(["nat", "list A", "A -> B", "forall x, P x", "(nat * nat)%type", "option (list A)"])
_BODIES = st.sampled_from(["P", "a = b", "exists x, P x -> Q", "fun x => x", "(A -> B) /\\ C", "f (x, y)"])


@st.composite
def _groups(draw: st.DrawFn) -> tuple[str, list[Binder]]:
    """Bracketed binder groups, as Coq prints them, and what they bind."""
    text, binders = [], []
    for _ in range(draw(st.integers(1, 3))):
        names = draw(st.lists(_NAMES, min_size=1, max_size=3))
        kind = draw(_TYPES)
        opening, closing = draw(st.sampled_from(["()", "{}", "[]"]))
        text.append(f"{opening}{' '.join(names)} : {kind}{closing}")
        binders += [Binder(name, kind) for name in names]
    return " ".join(text), binders


@given(
    groups=_groups(), premises=st.lists(st.sampled_from(["P x", "(A -> B)", "a = b", "x <= y"])), body=_BODIES
)
def test_prefixes_are_read_back(groups: tuple[str, list[Binder]], premises: list[str], body: str) -> None:
    text, binders = groups
    view = view_term(f"forall {text}, " + "".join(f"{premise} -> " for premise in premises) + body)
    assert list(view.binders) == binders
    assert list(view.premises) == premises
    assert view.body == body
