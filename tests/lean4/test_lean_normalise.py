"""White space, comments and measures of Lean text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prover_lean4.comments import comments_of
from prover_lean4.difficulty import measure
from prover_lean4.lexer import TokenKind, code_tokens, tokenize
from prover_lean4.normalise import dedent, normalise_whitespace, same_layout
from prover_lean4.tactics import split_tactics


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("\n\n  a  \r\n\n\n\nb\n", "  a\n\nb"),
        ("a    b  -- c  d  ", "a b -- c  d  "),
        ('x   "a   b"', 'x "a   b"'),
        ("by   simp\n   rfl", "by   simp\n   rfl"),
        ("by   simp\n     rfl", "by   simp\n     rfl"),
        ("have  h := by simp\nrfl", "have h := by simp\nrfl"),
        ("  calc  a = b := x\n         _ = c := y", "  calc  a = b := x\n         _ = c := y"),
        ("a  /- x\n  y -/  b", "a  /- x\n  y -/  b"),
    ],
)
def test_blanks_go_where_nothing_depends_on_them(source: str, expected: str) -> None:
    assert normalise_whitespace(source) == expected


def test_a_moved_block_keeps_its_shape() -> None:
    assert dedent("by\n    simp\n\n    rfl", 2) == "by\n  simp\n\n  rfl"
    assert dedent("by\n simp", 2) == "  by\n simp"
    assert dedent('by\n    f "a\n  b"', 2) == '  by\n    f "a\n  b"'
    assert dedent("a\n b", 0) == "a\n b"


@pytest.mark.parametrize(
    ("old", "new", "alike"),
    [
        ("intro x\nsimp", "intro xyz\nsimp", True),
        ("have x := by simp\n              rfl", "have xyz := by simp\n              rfl", False),
        ("have x := by simp\n  rfl", "have xyz := by simp\n  rfl", True),
        ("by x; y\n   z", "by x; yyy\n   z", True),
        ("a b", "a\nb", False),
        ("a b", "a", False),
        ("a\n b", "a\n  b", False),
    ],
)
def test_whether_two_texts_are_laid_out_alike(old: str, new: str, alike: bool) -> None:
    assert same_layout(old, new) is alike


TEXTS = st.one_of(
    st.text(max_size=100),
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    *(
                        "by",
                        "simp",
                        "·",
                        "have h : p := by",
                        "calc",
                        "_ = b := c",
                        "induction n with",
                        "| a =>",
                        "(",
                    ),
                    *(
                        ")",
                        ";",
                        "<;>",
                        "-- c",
                        "/- c -/",
                        "/- a\n b -/",
                        '"s  t"',
                        '"u\n v"',
                        "match x with",
                        "fun x =>",
                    ),
                ]
            ),
            st.sampled_from([" ", "  ", "    ", "\n", "\n  ", "\n    ", " \n\n\n   ", "\r\n", "\n      "]),
        ),
        max_size=25,
    ).map(lambda pairs: "".join(word + blank for word, blank in pairs)),
)


def shape(text: str) -> list[tuple[int, str, int | None, list[str]]]:
    """The tactics' tree, blanks left out."""
    return [
        (span.depth, span.kind, span.parent, [token.text for token in code_tokens(span.text)])
        for span in split_tactics(text, 0, len(text))
    ]


@pytest.mark.parametrize("line", ["; x", "| x", ") x", "\x1f", "<;> x"])
def test_a_line_that_goes_on_from_the_first_column_ends_nothing(line: str) -> None:
    """Moved to the fourth column, the first tactic would stand over the last line, which would be another."""
    text = f"by  a\n{line}\n   b"
    assert shape(normalise_whitespace(text)) == shape(text)


@pytest.mark.parametrize("comment", ["/-\n00-/", "/- a -/", "/-\n-/  /- -/"])
def test_what_stands_behind_a_comment_starts_its_line_too(comment: str) -> None:
    text = f"0  by a\n{comment} b"
    assert shape(normalise_whitespace(text)) == shape(text)


@pytest.mark.parametrize("text", ["0000000  0\n/-00-/  0", "000by 0\n/-0-/  0", "  /- a -/  b  c\n    d"])
def test_what_starts_a_line_behind_a_comment_is_not_moved(text: str) -> None:
    tidy = normalise_whitespace(text)
    assert shape(tidy) == shape(text) and normalise_whitespace(tidy) == tidy


def test_a_command_ends_what_was_open() -> None:
    text = "theorem  a : True := by  trivial\ntheorem b :\n        True := trivial"
    assert normalise_whitespace(text).startswith("theorem a : True := by trivial\n")


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_normalised_text_has_the_same_tokens_and_the_same_tactics(text: str) -> None:
    tidy = normalise_whitespace(text)
    assert solid(tidy) == solid(text)
    assert shape(tidy) == shape(text)
    assert normalise_whitespace(tidy) == tidy
    assert not any("\n\n\n" in token.text for token in tokenize(tidy) if token.kind is TokenKind.BLANK)


def solid(text: str) -> list[tuple[TokenKind, str]]:
    return [(token.kind, token.text) for token in tokenize(text) if token.kind is not TokenKind.BLANK]


def test_comments_with_their_places() -> None:
    source = '-- one\ndef x := 1 -- two\n  /-- doc -/\n/-! mod -/ /- a /- b -/ -/ "-- no"'
    found = [(c.kind.value, c.text, c.own_line) for c in comments_of(source)]
    assert found == [
        ("comment", "one", True),
        ("comment", "two", False),
        ("doc_comment", "doc", True),
        ("module_doc", "mod", True),
        ("comment", "a /- b -/", False),
    ]
    assert all(source[c.start : c.end].endswith(("-/", c.text)) for c in comments_of(source))


@pytest.mark.parametrize(
    ("proof", "length", "difficulty"),
    [
        ("by simp", 1, "easy"),
        ("rfl", 1, "easy"),
        ("by\n  intro x\n  simp", 2, "easy"),
        ("by\n  intro x\n  simp\n  rfl", 3, "medium"),
        ("by\n  constructor\n  · simp\n  · rfl", 3, "medium"),
        ("by\n  cases h with\n  | inl h => simp\n  | inr h => rfl", 3, "medium"),
        ("by simp <;> rfl", 2, "easy"),
        ("fun x => ⟨by simp, by\n  simp\n  rfl⟩", 4, "medium"),
        ("by\n" + "  simp\n" * 11, 11, "hard"),
        ("f " + "x " * 300, 1, "hard"),
        ("", 1, "easy"),
    ],
)
def test_measures(proof: str, length: int, difficulty: str) -> None:
    measured = measure("theorem a : p", proof)
    assert (measured.length, measured.difficulty) == (length, difficulty)
    assert measured.statement_tokens == 4


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_any_text_can_be_measured(text: str) -> None:
    measured = measure(text, text)
    assert measured.length >= 1
    assert measured.tokens == measured.statement_tokens
