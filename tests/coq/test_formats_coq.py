"""PALM, CoqGym and CoqStoq: real samples, round trips, and what is said about malformed files."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from proof_records import coq_proof, proofs, shared_data

from prover_coq.document import parse_document
from prover_coq.formats.coqgym import CoqGymFormat
from prover_coq.formats.coqstoq import (
    CoqStoqFormat,
    CoqStoqOptions,
    CoqStoqSubmission,
    SubmissionOptions,
)
from prover_coq.formats.palm import PalmFormat, PalmOptions
from prover_coq.formats.sentences import closing_sentence, flat, is_structural, proof_parts
from prover_core.contracts.extraction import DataFormat, ReadProblem
from prover_core.errors import DataError
from prover_core.records import PositionRecord, ProofRecord, StepRecord

relaxed = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


def dump(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


# --- sentences


def test_a_proof_is_steps_and_a_terminator() -> None:
    parts = proof_parts(["Proof.", "intros.", "- auto.", "-", "2: {", "}", "Save foo."])
    assert [s.structural for s in parts.steps] == [True, False, False, True, True, True]
    assert (parts.terminator, parts.ending) == ("Save", "Save foo.")
    term = proof_parts(["Proof (fun x => x)."])
    assert ([s.tactic for s in term.steps], term.terminator) == (["Proof (fun x => x)."], "Proof term")
    assert not is_structural("Proof (fun x => x).")
    assert proof_parts(["intros."]).terminator == "" and proof_parts([]).steps == ()


def test_flat_keeps_strings() -> None:
    assert flat('Check  (* a  b *) "x  ""\n y"\n  z.') == 'Check "x  ""\n y" z.'


# --- PALM


def palm_sample(tmp_path: Path) -> Path:
    content = json.loads(shared_data("coq/palm/sample_project_file.json").read_text())
    dump(tmp_path / "data/hoare-tut/exgcd.json", content)
    for name in ("path.json", "intersection.json"):
        (tmp_path / "data" / name).write_bytes(shared_data(f"coq/palm/{name}").read_bytes())
    return tmp_path / "data"


def test_palms_own_sample_is_read_whole(tmp_path: Path) -> None:
    records = list(PalmFormat().read(palm_sample(tmp_path)))
    assert [r.name for r in records][:2] == ["Zgcd_minus", "Zneq_bool_false"] and len(records) == 6
    first = records[0]
    assert first.id == "hoare-tut/exgcd.v:Zgcd_minus"
    assert (first.project, first.file, first.kind, first.terminator) == (
        "hoare-tut",
        "exgcd.v",
        "Lemma",
        "Qed",
    )
    assert first.statement == "Lemma Zgcd_minus: forall a b d:Z, Zis_gcd a (b - a) d -> Zis_gcd a b d."
    assert [s.tactic for s in first.steps][::4] == ["Proof.", "omega."]
    assert first.extra["coq_options"] == "-R . HoareTut" and first.extra["switch"] == "coqllm8.11"
    assert {r.split for r in records} == {"intersection"}  # all six are among the 11,268


def test_palms_own_sample_is_written_as_it_was(tmp_path: Path) -> None:
    data = palm_sample(tmp_path)
    report = PalmFormat().write(PalmFormat().read(data), tmp_path / "out")
    assert report.written == 6 and not report.dropped
    for name in ("hoare-tut/exgcd.json", "path.json", "intersection.json"):
        was, now = (json.loads((folder / name).read_text()) for folder in (data, tmp_path / "out"))
        if name == "path.json":
            was = {"hoare-tut": was["hoare-tut"]}
        if name == "intersection.json":  # the sample has one of the project's files
            was = {"hoare-tut": [i for i in was["hoare-tut"] if "/exgcd.json/" in i]}
            was, now = ({k: sorted(v) for k, v in x.items()} for x in (was, now))
        assert now == was, name


@st.composite
def palm_files(draw: st.DrawFn) -> dict[str, Any]:
    """Any sentences, and any ranges of them, nested and overlapping ones too."""
    closing = st.sampled_from(["Qed.", "Defined.", "Save x.", "Proof (f x).", "Admitted."])
    code = draw(st.lists(words | closing, min_size=1, max_size=12))
    theorems = []
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(code) - 1))
        end = draw(st.integers(begin, len(code) - 1))
        theorems.append({"name": draw(words), "kind": draw(words), "begin": begin, "end": end})
    return {"code": code, "theorems": theorems}


@relaxed
@given(palm_files())
def test_any_palm_file_is_written_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("palm")
    records = list(PalmFormat().read(dump(folder / "a.json", content)))
    PalmFormat().write(records, folder / "b.json")
    assert json.loads((folder / "b.json").read_text()) == content


def test_palm_files_of_some_theorems_keep_what_stands_between(tmp_path: Path) -> None:
    code = ["Require A.", "Lemma a : P.", "p.", "Qed.", "Hint a.", "Lemma b : Q.", "q.", "Qed.", "End."]
    theorems = [
        {"name": "a", "kind": "Lemma", "begin": 1, "end": 3},
        {"name": "b", "kind": "Lemma", "begin": 5, "end": 7},
    ]
    file = dump(tmp_path / "a.json", {"code": code, "theorems": theorems})
    PalmFormat().write(list(PalmFormat().read(file))[1:], tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text()) == {
        "code": ["Hint a.", "Lemma b : Q.", "q.", "Qed.", "End."],
        "theorems": [{"name": "b", "kind": "Lemma", "begin": 1, "end": 3}],
    }


SOURCE = """Require Import Arith. (* a  comment *)
Definition two := 2.
Lemma  plus_0 : forall n,
  n + 0 = n.
Proof.
  induction n; simpl; auto. (* done *)
Qed.
Goal 1 = 1. reflexivity. Qed.
"""


def located(text: str, number: int, **fields: Any) -> ProofRecord:
    """The record that an extraction makes of the ``number``-th theorem."""
    document = parse_document(text)
    decl = document.theorems[number]
    if decl.proof is None:
        raise AssertionError(decl)

    def at(start: int, end: int) -> PositionRecord:
        line = text.count("\n", 0, start) + 1
        return PositionRecord(start=start, end=end, line=line, column=start - text.rfind("\n", 0, start))

    proof = decl.proof
    sentences = [s for s in document.sentences if proof.start <= s.start < proof.end]
    parts = proof_parts([s.text for s in sentences])
    made: ProofRecord = coq_proof(
        number,
        name=decl.name,
        kind=decl.kind,
        statement=text[decl.statement.start : decl.statement.end],
        position=at(decl.statement.start, decl.statement.end),
        proof_position=at(proof.start, proof.end),
        states=(),
        steps=parts.steps,
        terminator=parts.terminator,
        **({"file": "A.v", "project": "toy", "id": f"A.v:{decl.name}"} | fields),
    )
    return made


def test_palm_files_made_from_sources_hold_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "src/toy").mkdir(parents=True)
    (tmp_path / "src/toy/A.v").write_text(SOURCE)
    records = [located(SOURCE, 0, split="intersection"), located(SOURCE, 1), located(SOURCE, 0, file="B.v")]
    options = PalmOptions(sources=tmp_path / "src", coq_options="-Q . Toy")
    report = PalmFormat(options).write(records, tmp_path / "out")
    assert json.loads((tmp_path / "out/toy/A.json").read_text()) == {
        "code": [
            "Require Import Arith.", "Definition two := 2.", "Lemma plus_0 : forall n, n + 0 = n.", "Proof.",
            "induction n; simpl; auto.", "Qed.", "Goal 1 = 1.", "reflexivity.", "Qed.",
        ],
        "theorems": [
            {"name": "plus_0", "kind": "Lemma", "begin": 2, "end": 5},
            {"name": "Goal_6", "kind": "Goal", "begin": 6, "end": 8},
        ],
    }  # fmt: skip
    assert json.loads((tmp_path / "out/path.json").read_text()) == {"toy": ["-Q . Toy", ""]}
    assert json.loads((tmp_path / "out/intersection.json").read_text()) == {"toy": ["toy/A.json/plus_0"]}
    assert (report.written, [d.count for d in report.dropped]) == (2, [1])
    moved = located(SOURCE, 0).model_copy(update={"statement": "Lemma other : P."})
    report = PalmFormat(options).write([moved], tmp_path / "out2")
    assert (report.written, report.dropped[0].reason) == (0, "its source file has another text there")


def test_palm_without_sources_is_the_proofs_alone(tmp_path: Path) -> None:
    PalmFormat().write([located(SOURCE, 0), located(SOURCE, 1)], tmp_path / "a.json")
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["code"][:2] == ["Lemma plus_0 : forall n, n + 0 = n.", "Proof."]
    assert [(t["name"], t["begin"], t["end"]) for t in content["theorems"]] == [
        ("plus_0", 0, 3),
        ("Goal_4", 4, 6),
    ]


# --- CoqGym


def coqgym_file() -> dict[str, Any]:
    """In the layout that CoqGym's README gives."""
    hypothesis = {"idents": ["K", "V"], "term": [], "type": "Type", "sexp": "cd15"}
    let = {"idents": ["x"], "term": ["0"], "type": "nat", "sexp": "aa"}
    constant = {"physical_path": "a.vo:b", "short_ident": "b", "qualid": "A.b", "type": "nat", "sexp": "33"}
    return {
        "filename": "Assoc.v",
        "coq_project": "StructTact",
        "vernac_cmds": [
            ['Cd "$COQGYM_ROOT/coq_projects/StructTact".', "VernacChdir", "3701"],
            [
                "Lemma get_set_same : forall k v l, get (set l k v) k = Some v.",
                "VernacStartTheoremProof",
                "1",
            ],
            ["Proof.", "VernacProof", "2"],
            ["induction l; intros.", "VernacExtend", "f6d2"],
            ["-", "VernacBullet", "4"],
            ["congruence.", "VernacExtend", "5"],
            ["Qed.", "VernacEndProof", "6"],
            ["Arguments a_equiv {_} {_} _ _ _.", "VernacArguments", "6777"],
        ],
        "num_extra_cmds": 1,
        "proofs": [
            {
                "name": "get_set_same",
                "line_nb": 1,
                "env_delta": {
                    "add": {"constants": [constant], "inductives": []},
                    "subtract": {"constants": [], "inductives": []},
                },
                "steps": [
                    {"command": ["Proof.", "VernacProof", "2"], "goal_ids": {"fg": [27], "bg": []}},
                    {
                        "command": ["induction l; intros.", "VernacExtend", "f6d2"],
                        "goal_ids": {"fg": [27], "bg": []},
                    },
                    {"command": ["-", "VernacBullet", "4"], "goal_ids": {"fg": [31, 32], "bg": []}},
                    {"command": ["congruence.", "VernacExtend", "5"], "goal_ids": {"fg": [31], "bg": [32]}},
                    {"command": ["Qed.", "VernacEndProof", "6"], "goal_ids": {"fg": [], "bg": []}},
                ],
                "goals": {
                    "27": {"id": 27, "type": "forall k, P k", "hypotheses": [hypothesis], "sexp": "99"},
                    "31": {"id": 31, "type": "P 0", "hypotheses": [hypothesis, let], "sexp": "98"},
                    "32": {"id": 32, "type": "P 1", "hypotheses": []},
                    "40": {"id": 40, "type": "no step shows it", "hypotheses": []},
                },
                "proof_tree": {"goal_id": 27, "children": []},
            }
        ],
        "synthetic_proofs": [{"anything": [1]}],
    }


def test_a_coqgym_file_is_read_with_its_states(tmp_path: Path) -> None:
    dump(
        tmp_path / "projs_split.json", {"projs_train": ["a"], "projs_valid": [], "projs_test": ["StructTact"]}
    )
    dump(tmp_path / "data/StructTact/Assoc.json", coqgym_file())
    (record,) = CoqGymFormat().read(tmp_path)
    assert record.id == "StructTact/Assoc.v:get_set_same" and record.split == "test"
    assert record.statement.startswith("Lemma get_set_same :") and record.kind == "Lemma"
    assert record.terminator == "Qed"
    assert [s.tactic for s in record.steps] == ["Proof.", "induction l; intros.", "-", "congruence."]
    assert [s.structural for s in record.steps] == [True, False, True, False]
    assert [(s.before, s.after) for s in record.steps] == [(0, 0), (0, 1), (1, 2), (2, 3)]
    assert record.states[3].solved
    third = record.states[2]
    assert [g.conclusion for g in (*third.focused, *third.unfocused)] == ["P 0", "P 1"]
    known = third.focused[0].hypotheses
    assert (known[0].names, known[0].body) == (("K", "V"), None) and known[1].body == "0"
    assert record.extra["coqgym"]["goals"]["31"]["hypotheses"] == [{"sexp": "cd15"}, {"sexp": "aa"}]


def test_a_coqgym_file_is_written_as_it_was(tmp_path: Path) -> None:
    dump(tmp_path / "in/StructTact/Assoc.json", coqgym_file())
    report = CoqGymFormat().write(CoqGymFormat().read(tmp_path / "in"), tmp_path / "out")
    assert (report.written, report.dropped) == (1, ())
    assert json.loads((tmp_path / "out/StructTact/Assoc.json").read_text()) == coqgym_file()


_ids = st.integers(1, 5)
_step = st.fixed_dictionaries(
    {
        "command": st.tuples(words | st.sampled_from(["Qed.", "auto.", "-"]), words, words).map(list),
        "goal_ids": st.fixed_dictionaries(
            {"fg": st.lists(_ids, max_size=3), "bg": st.lists(_ids, max_size=2)}
        ),
    },
    optional={"more": words},
)
_hypothesis = st.fixed_dictionaries(
    {"idents": st.lists(words, min_size=1, max_size=2), "term": st.lists(words, max_size=2), "type": words},
    optional={"sexp": words},
)
_goal = st.fixed_dictionaries(
    {"type": words, "hypotheses": st.lists(_hypothesis, max_size=2)}, optional={"sexp": words}
)


@st.composite
def coqgym_files(draw: st.DrawFn) -> dict[str, Any]:
    commands = draw(st.lists(st.tuples(words, words, words).map(list), min_size=1, max_size=4))
    made = []
    for _ in range(draw(st.integers(1, 3))):
        goals = {str(n): {"id": n, **draw(_goal)} for n in range(1, 6)}
        made.append(
            {
                "name": draw(words),
                "line_nb": draw(st.integers(0, len(commands) - 1)),
                "env_delta": {},
                "steps": draw(st.lists(_step, max_size=4)),
                "goals": goals,
                "proof_tree": draw(st.none() | st.just({"goal_id": 1})),
            }
        )
    return {
        "filename": "A.v",
        "coq_project": "P",
        "vernac_cmds": commands,
        "num_extra_cmds": 0,
        "proofs": made,
        "synthetic_proofs": [],
    }


@relaxed
@given(coqgym_files())
def test_any_coqgym_file_is_written_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("coqgym")
    records = list(CoqGymFormat().read(dump(folder / "a.json", copy.deepcopy(content))))
    CoqGymFormat().write(records, folder / "b.json")
    assert json.loads((folder / "b.json").read_text()) == content


def test_our_own_proofs_become_coqgym(tmp_path: Path) -> None:
    records = [coq_proof(i) for i in range(3)]
    stateless = coq_proof(9, states=(), steps=(StepRecord(tactic="auto."),))
    report = CoqGymFormat().write([*records, stateless], tmp_path / "out")
    assert report.written == 3 and [d.reason for d in report.dropped] == ["a step without a state"]
    back = list(CoqGymFormat().read(tmp_path / "out"))
    assert [r.statement for r in back] == [r.statement for r in records]
    for was, now in zip(records, back, strict=True):
        assert [s.tactic for s in now.steps] == [s.tactic for s in was.steps]
        assert (now.terminator, now.file, now.project) == ("Qed", was.file, was.project)
        for (_, _, before, after), (_, _, b, a) in zip(was.iterate(), now.iterate(), strict=True):
            assert before is not None and b is not None and a is not None and after is not None
            assert (b.focused, b.unfocused) == (before.focused, before.unfocused)
        assert now.iterate() is not None and now.states[now.steps[-1].after or 0].solved
    content = json.loads((tmp_path / "out/toy/Arith/Plus.json").read_text())
    for proof in content["proofs"]:
        assert content["vernac_cmds"][proof["line_nb"]][0].startswith(f"Lemma {proof['name']} ")


# --- CoqStoq


def coqstoq_theorem(text: str, number: int, *, path: str = "A.v") -> dict[str, Any]:
    decl = parse_document(text).theorems[number]
    if decl.proof is None:
        raise AssertionError(decl)

    def place(offset: int) -> dict[str, int]:
        return {"line": text.count("\n", 0, offset), "column": offset - text.rfind("\n", 0, offset) - 1}

    return {
        "project": {
            "dir_name": "toy",
            "split": {"dir_name": "test-repos", "thm_dir_name": "test-theorems"},
            "commit_hash": "c0ffee",
            "compile_args": ["-Q", ".", "Toy"],
        },
        "path": path,
        "theorem_start_pos": place(decl.statement.start),
        "theorem_end_pos": place(decl.statement.end),
        "proof_start_pos": place(decl.proof.start),
        "proof_end_pos": place(decl.proof.end),
        "hash": "1234",
    }


def coqstoq_tree(root: Path, *, sources: bool = True) -> list[dict[str, Any]]:
    theorems = [coqstoq_theorem(SOURCE, n) for n in (0, 1)]
    dump(root / "test-theorems/toy/A.json", theorems)
    listed = [{"thm_path": "test-theorems/toy/A.json", "thm_idx": n} for n in (1, 0)]
    dump(root / "test-theorems.json", listed)
    if sources:
        (root / "test-repos/toy").mkdir(parents=True)
        (root / "test-repos/toy/A.v").write_text(SOURCE)
    return theorems


def test_coqstoq_theorems_are_found_in_their_projects(tmp_path: Path) -> None:
    coqstoq_tree(tmp_path)
    records = list(CoqStoqFormat().read(tmp_path / "test-theorems.json"))
    assert [r.name for r in records] == ["Unnamed_thm", "plus_0"]  # the list's order
    second = records[1]
    assert second.id == "toy/A.v:plus_0" and second.commit == "c0ffee" and second.split == "test"
    assert second.statement == "Lemma  plus_0 : forall n,\n  n + 0 = n."
    assert [s.tactic for s in second.steps] == ["Proof.", "induction n; simpl; auto."]
    assert second.terminator == "Qed" and second.position is not None
    assert (second.position.line, second.position.column) == (3, 1)


@pytest.mark.parametrize("sources", [True, False])
def test_coqstoq_theorem_files_are_written_as_they_were(tmp_path: Path, sources: bool) -> None:
    theorems = coqstoq_tree(tmp_path / "in", sources=sources)
    records = list(CoqStoqFormat().read(tmp_path / "in"))
    assert bool(records[0].statement) is sources and len(records) == 2
    CoqStoqFormat().write(records, tmp_path / "out")
    assert json.loads((tmp_path / "out/test-theorems/toy/A.json").read_text()) == theorems


def test_our_own_proofs_become_coqstoq_theorems(tmp_path: Path) -> None:
    theorems = coqstoq_tree(tmp_path / "in")
    records = [located(SOURCE, n, commit="c0ffee", extra={"hash": "1234"}) for n in (0, 1)]
    options = CoqStoqOptions(projects_dir=tmp_path / "in/test-repos", compile_args=("-Q", ".", "Toy"))
    report = CoqStoqFormat(options).write([*records, located(SOURCE, 0, file="No.v")], tmp_path / "a.json")
    assert (report.written, [d.count for d in report.dropped]) == (2, [1])
    assert json.loads((tmp_path / "a.json").read_text()) == theorems


def test_a_coqstoq_submission_has_exactly_this_form(tmp_path: Path) -> None:
    theorems = coqstoq_tree(tmp_path, sources=False)
    records = list(CoqStoqFormat().read(tmp_path / "test-theorems/toy/A.json"))
    found = proof_parts(["intros n.", "auto.", "Qed."])
    proved = records[0].model_copy(
        update={"steps": found.steps, "terminator": "Qed", "extra": records[0].extra | {"time": 1.5}}
    )
    form = CoqStoqSubmission(SubmissionOptions(hardware="2 cores"))
    report = form.write([proved, records[1], coq_proof(0)], tmp_path / "s.json")
    assert report.written == 2 and report.dropped[0].reason == "not one of CoqStoq's theorems"
    content = json.loads((tmp_path / "s.json").read_text())
    assert content == {
        "hardware": "2 cores",
        "results": [
            {"thm": theorems[0], "proof": "intros n.\nauto.\nQed.", "time": 1.5},
            {"thm": theorems[1], "proof": None, "time": None},
        ],
    }
    form.write(form.read(tmp_path / "s.json"), tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == content


def test_a_coqstoq_theorem_that_is_not_there_is_said(tmp_path: Path) -> None:
    coqstoq_tree(tmp_path)
    (tmp_path / "test-repos/toy/A.v").write_text("\n" + SOURCE)
    with pytest.raises(DataError, match=r"no theorem begins at line 2, column 0 .* is it the commit c0ffee"):
        list(CoqStoqFormat().read(tmp_path))
    problems: list[ReadProblem] = []
    assert list(CoqStoqFormat().read(tmp_path, lenient=True, problems=problems)) == []
    assert len(problems) == 2


# --- all of them


@relaxed
@given(st.lists(proofs(), max_size=3))
@pytest.mark.parametrize("form", [PalmFormat(), CoqGymFormat(), CoqStoqFormat(), CoqStoqSubmission()])
def test_any_record_is_written_or_counted(
    tmp_path_factory: pytest.TempPathFactory, form: DataFormat, records: list[ProofRecord]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    records = [r.model_copy(update={"project": "p", "file": f"{n}.v"}) for n, r in enumerate(records)]
    report = form.write(records, folder / ("s.json" if form.name == "coqstoq-submission" else "out"))
    assert report.written + sum(d.count for d in report.dropped) == len(records)
    assert all(file.is_file() for file in report.files) and report.lost_fields


@relaxed
@given(st.lists(proofs(), min_size=1, max_size=2))
def test_what_palm_keeps_is_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, records: list[ProofRecord]
) -> None:
    folder = tmp_path_factory.mktemp("palm")
    PalmFormat().write(
        records := [r.model_copy(update={"file": "a.v"}) for r in records[:1]], folder / "a.json"
    )
    for was, now in zip(records, PalmFormat().read(folder / "a.json"), strict=True):
        said = [was.statement, *(s.tactic for s in was.steps), closing_sentence(was)]
        found = [now.statement, *(s.tactic for s in now.steps), closing_sentence(now)]
        assert [flat(text) for text in said if flat(text)] == [text for text in found if text]


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "truncated": (b'{"code": ["Lemma', "not a JSON text"),
    "bad UTF-8": (b'{"code": ["\xff"]}', "bad UTF-8"),
    "a number": (b"7", "not a|neither a"),
    "wrong types": (
        b'{"code": 7, "theorems": "x", "filename": [], "proofs": {}, "results": 3}',
        "not a|neither",
    ),
    "a list of nothing": (b"[1, null]", "not a|is none"),
}


@pytest.mark.parametrize("form", [PalmFormat(), CoqGymFormat(), CoqStoqFormat()], ids=lambda f: f.name)
@pytest.mark.parametrize("case", BROKEN)
def test_malformed_files_are_one_clear_error_or_counted(tmp_path: Path, form: DataFormat, case: str) -> None:
    data, words = BROKEN[case]
    file = tmp_path / "x.json"
    file.write_bytes(data)
    with pytest.raises(DataError, match=words) as caught:
        list(form.read(file))
    assert str(file) in str(caught.value)
    problems: list[ReadProblem] = []
    assert list(form.read(file, lenient=True, problems=problems)) == []
    assert problems and all(p.file == file and p.reason for p in problems)


def test_parts_that_are_malformed_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    content = {
        "code": ["Lemma a : P.", "Qed."],
        "theorems": [
            {"name": "a", "kind": "Lemma", "begin": 0, "end": 1},
            {"name": "b", "kind": "Lemma", "begin": 1, "end": 9},
            {"name": "c", "kind": "Lemma", "begin": "0", "end": 1},
        ],
    }
    palm = dump(tmp_path / "p.json", content)
    gym = coqgym_file()
    gym["proofs"] += [gym["proofs"][0] | {"goals": {}}, gym["proofs"][0] | {"line_nb": 99}, {"name": "x"}]
    for form, file, count in ((PalmFormat(), palm, 2), (CoqGymFormat(), dump(tmp_path / "g.json", gym), 3)):
        problems: list[ReadProblem] = []
        assert len(list(form.read(file, lenient=True, problems=problems))) == 1
        assert len(problems) == count
        with pytest.raises(DataError, match=r"(theorems|proofs)\[1\]"):
            list(form.read(file))


@pytest.mark.parametrize("form", [PalmFormat(), CoqGymFormat(), CoqStoqFormat()], ids=lambda f: f.name)
def test_a_wrong_folder_says_what_was_expected(tmp_path: Path, form: DataFormat) -> None:
    with pytest.raises(DataError, match=r"holds no .*(PALM|CoqGym|CoqStoq)"):
        list(form.read(tmp_path))
    with pytest.raises(DataError, match="nowhere"):
        list(form.read(tmp_path / "nowhere"))


@pytest.mark.parametrize("form", [PalmFormat(), CoqGymFormat()], ids=lambda f: f.name)
def test_writing_never_leaves_the_folder_nor_mixes_files(tmp_path: Path, form: DataFormat) -> None:
    for project, file in (("..", "a.v"), ("p", "../../a.v"), ("/etc", "a.v")):
        with pytest.raises(DataError, match="names no file inside"):
            form.write([coq_proof(0, project=project, file=file)], tmp_path / "out")
    with pytest.raises(DataError, match="both be written"):
        form.write([coq_proof(0, file="a.v"), coq_proof(1, file="a")], tmp_path / "out")
    with pytest.raises(DataError, match="give a folder"):
        form.write([coq_proof(0, file="a.v"), coq_proof(1, file="b.v")], tmp_path / "out.json")
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").rglob("*.json"))
