"""The sentence lexer on its own: hand-written traps, and properties of any text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prover_coq.lexer import SentenceKind, TokenKind, split_sentences, strip_comments, tokens


def texts(source: str) -> list[str]:
    return [sentence.text for sentence in split_sentences(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", []),
        ("  \n\t\r\n ", []),
        ("Qed.", ["Qed."]),
        ("intros x. apply H.", ["intros x.", "apply H."]),
        ("apply Nat.add_comm. exact 1.5.", ["apply Nat.add_comm.", "exact 1.5."]),
        ("foo.\r\nbar.\r\n", ["foo.", "bar."]),
        ("split... auto.", ["split...", "auto."]),
        ('Notation "[ x ; .. ; y ]" := (cons x .. (cons y nil) ..). A.', None),
        ('Notation "x . y" := (f x y). A.', ['Notation "x . y" := (f x y).', "A."]),
        ('Check "a""b. c". A.', ['Check "a""b. c".', "A."]),
        ("(* a. (* b. *) c. *) A. (* d. *)", ["A."]),
        ('(* " *) " *) A.', ["A."]),
        ('(* "a "" *) b" *) A.', ["A."]),
        ("A (* x. *) B. C.", ["A (* x. *) B.", "C."]),
        ("(**) A. (***) B. (*)*) C.", ["A.", "B.", "C."]),
        ("x.(f) y. A.", ["x.(f) y.", "A."]),
        ("move=> [|n] /= //. by [].", ["move=> [|n] /= //.", "by []."]),
        ("Proof using Type* A. auto.", ["Proof using Type* A.", "auto."]),
        ("Lemma α_β' : ∀ ε₁, ε₁ = ε₁. A.", ["Lemma α_β' : ∀ ε₁, ε₁ = ε₁.", "A."]),
        ('#[deprecated(note="Use b. Now.")] Lemma a : T. A.', None),
        ("Elpi Accumulate lp:{{ pred a. a. }}. B.", ["Elpi Accumulate lp:{{ pred a. a. }}.", "B."]),
        ("{{ P }} c. A.", ["{", "{", "P }} c.", "A."]),
        ("Check {{ P }} c. A.", ["Check {{ P }} c.", "A."]),
        ("Check 1 .. 2. A.", ["Check 1 .. 2.", "A."]),
        ("exact I.(* c *) A.", ["exact I.(* c *) A."]),
        ("exact I.(* c. *) A.", ["exact I.(* c.", "*", ") A."]),  # as Coq reads it: `.(` is a token
    ],
)
def test_sentences(source: str, expected: list[str] | None) -> None:
    found = texts(source)
    if expected is None:  # two sentences, the second a single letter
        assert len(found) == 2
        assert found[1] == "A."
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("- a.", "bullet sentence"),
        ("-- + *** a.", "bullet bullet bullet sentence"),
        ("-+*a.", "bullet bullet bullet sentence"),
        ("{ a. }", "brace_open sentence brace_close"),
        ("{a.\n}}", "brace_open sentence brace_close brace_close"),
        ("2: { a. }", "selector_brace sentence brace_close"),
        ("2:{ a. }", "selector_brace sentence brace_close"),
        ("2 (* c *) : (* d *) { a. }", "selector_brace sentence brace_close"),
        ("[x]: { a. }", "selector_brace sentence brace_close"),
        ("[ x' ] : { a. }", "selector_brace sentence brace_close"),
        ("1-3,5: a.", "sentence"),
        ("all: a.", "sentence"),
        ("all: { a. }", "selector_brace sentence brace_close"),
        ("1-3, 5 : {", "selector_brace"),
        ("par: a. !: b.", "sentence sentence"),
        ("2: {| f := 1 |}.", "sentence"),
        ("all_goals : { x : nat | p }.", "sentence"),
        ("allow. alle.", "sentence sentence"),
        ("exact {| f := 1 |}.", "sentence"),
        ("Check { x : nat | x - 1 = 0 }.", "sentence"),
        ("Definition a := b - c * d. - e.", "sentence bullet sentence"),
        ("(* c *) - (* d *) a.", "bullet sentence"),
    ],
)
def test_structure_is_seen_only_where_a_sentence_starts(source: str, kinds: str) -> None:
    assert [str(sentence.kind) for sentence in split_sentences(source)] == kinds.split()


@pytest.mark.parametrize(
    "source",
    [
        "intros",
        "A (* never closed. ",
        'Check "never closed. ',
        "(* never closed. ",
        "lp:{{ a. ",
        "A..",
        "a.b",
    ],
)
def test_unfinished_text_is_one_incomplete_sentence(source: str) -> None:
    (sentence,) = split_sentences(source)
    assert not sentence.complete
    assert sentence.text == source.rstrip()


def test_start_offset_and_offsets_are_of_the_whole_text() -> None:
    source = "α.\n (* x *) β γ.\n"
    second = split_sentences(source)[1]
    assert (second.start, second.end) == (source.index("β"), source.index("γ") + 2)
    assert split_sentences(source, start=2) == [second]


def test_tokens_of_a_statement() -> None:
    found = tokens('Lemma Nat.a\' : forall x, x.1 <> 1.5e3 (* c *) -> "a""b" := @{u}.')
    assert [(str(token.kind), token.text) for token in found] == [
        ("ident", "Lemma"),
        ("ident", "Nat.a'"),
        ("symbol", ":"),
        ("ident", "forall"),
        ("ident", "x"),
        ("symbol", ","),
        ("ident", "x"),
        ("symbol", "."),
        ("number", "1"),
        ("symbol", "<>"),
        ("number", "1.5e3"),
        ("symbol", "->"),
        ("string", '"a""b"'),
        ("symbol", ":="),
        ("symbol", "@{"),
        ("ident", "u"),
        ("symbol", "}"),
        ("symbol", "."),
    ]


def test_strip_comments_leaves_strings_alone() -> None:
    assert strip_comments('a (* "*)" (* *) *) "(* b *)" c(**)d') == 'a   "(* b *)" c d'
    assert strip_comments("a (* never closed") == "a (* never closed"


# Text made of what is hard, rather than of random letters only.
PIECES = st.sampled_from(
    [
        *'. .. ... .( ( ) (* *) " "" { } {{ }} {| |} - + * -- : := 2: all: [a]: lp:{{ ! ,'.split(" "),
        " ", "\n", "\r\n", "\t", "\f", "\u00a0", "a", "Lemma", "x'", "é", "₁", "𝔸", "1", "1.5", "#[a]", "'",
    ]
)  # fmt: skip
SOURCES = st.one_of(st.text(), st.lists(PIECES, max_size=60).map("".join))


def is_gap(text: str) -> bool:
    """Blanks and closed comments only; written without the lexer's help."""
    depth, position, in_string = 0, 0, False
    while position < len(text):
        pair = text[position : position + 2]
        if in_string:
            in_string = text[position] != '"'
        elif pair == "(*":
            depth += 1
            position += 1
        elif depth and pair == "*)":
            depth -= 1
            position += 1
        elif depth:
            in_string = text[position] == '"'
        elif text[position] not in " \t\r\n":
            return False
        position += 1
    return depth == 0 and not in_string


@settings(max_examples=400, deadline=None)
@given(SOURCES)
def test_sentences_tile_the_text(source: str) -> None:
    position = 0
    found = split_sentences(source)
    for sentence in found:
        assert sentence.start >= position
        assert sentence.start < sentence.end
        assert is_gap(source[position : sentence.start])
        assert source[sentence.start : sentence.end] == sentence.text
        position = sentence.end
    assert is_gap(source[position:])
    assert all(sentence.complete for sentence in found[:-1])
    for sentence in found:
        if sentence.complete and sentence.kind is SentenceKind.TACTIC_OR_COMMAND:
            assert sentence.text.endswith(".")


@settings(max_examples=300, deadline=None)
@given(SOURCES)
def test_a_sentence_alone_is_the_same_sentence(source: str) -> None:
    for sentence in split_sentences(source):
        if sentence.complete:
            assert [s.text for s in split_sentences(sentence.text)] == [sentence.text]


@settings(max_examples=300, deadline=None)
@given(SOURCES)
def test_strip_comments_keeps_the_tokens(source: str) -> None:
    before = [(token.kind, token.text) for token in tokens(source)]
    assert [(token.kind, token.text) for token in tokens(strip_comments(source))] == before


@settings(max_examples=300, deadline=None)
@given(SOURCES)
def test_tokens_stand_where_they_say(source: str) -> None:
    position = 0
    for token in tokens(source):
        assert token.start >= position
        assert source[token.start : token.start + len(token.text)] == token.text
        position = token.start + len(token.text)
        if token.kind is TokenKind.UNTERMINATED:
            assert position == len(source)


@pytest.mark.parametrize(
    "piece", [".", "(*", '"', "{{", "lp:{{", "- ", "x.y", "a. ", '(* " ', "1-", "...", "("]
)
def test_time_is_linear_in_the_length(piece: str) -> None:
    """A quadratic scan of these would take minutes."""
    source = piece * (300_000 // len(piece))
    begin = time.perf_counter()
    split_sentences(source)
    strip_comments(source)
    tokens(source)
    assert time.perf_counter() - begin < 15
