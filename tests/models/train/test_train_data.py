"""From sources of proofs to examples: what is learnt, held out, left out; the cache; leaks; mixtures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models.train.library import config, make_dataset, record, records

from prover_core.cli.main import main
from prover_core.cli.progress import Progress
from prover_core.data.splits import Split, SplitBy, SplitSettings, make_split
from prover_core.errors import ConfigError, DataError
from prover_models.lm.encoding import Encoder
from prover_models.lm.templates import load_template
from prover_models.train.dataset import TrainingExamples, load_examples
from prover_models.train.schedule import Batches, Plan, row_batches


def load(base: Path, template: str = "goal-proofstep", **sections: Any) -> TrainingExamples:
    """The examples of a configuration, tokenised for the tiny model at ``base``."""
    from transformers import AutoTokenizer

    told = config(base, **sections)
    tokenizer = AutoTokenizer.from_pretrained(base)
    return load_examples(told, Encoder(load_template(template), tokenizer, told.prompt.max_prompt_tokens))


def test_every_step_is_an_example_in_the_words_of_the_template(gpt2: Path, proofs: Path) -> None:
    from transformers import AutoTokenizer

    found = load(gpt2, data={"train": [proofs], "share": 0.2})
    tokenizer = AutoTokenizer.from_pretrained(gpt2)
    both = [found.train, found.validation]
    assert sum(len(examples) for examples in both) == 100  # 20 theorems with 2 steps, 20 with 2, 20 with 1
    learnt = {found.train.meta(i).theorem for i in range(len(found.train))}
    held = {found.validation.meta(i).theorem for i in range(len(found.validation))}
    assert len(learnt) + len(held) == 60 and not learnt & held and 4 <= len(held) <= 22
    for examples in both:
        for i in range(len(examples)):
            encoded, meta = examples[i], examples.meta(i)
            prompt = tokenizer.decode(encoded.ids[: encoded.prompt_length])
            assert prompt.startswith("[GOAL]") and prompt.endswith("[PROOFSTEP]")
            told = tokenizer.decode(encoded.ids[encoded.prompt_length :], skip_special_tokens=True)
            assert told == examples.answer(i)
            assert encoded.ids[-1] == tokenizer.eos_token_id
            assert meta.id.startswith(meta.theorem) and meta.prover == "coq"
            assert meta.difficulty.steps_left <= meta.difficulty.proof_length
    assert found.report["licences"] == ["CC0-1.0"] and not found.warnings


def test_what_a_split_left_for_training_is_held_out_like_anything_else(gpt2: Path, tmp_path: Path) -> None:
    """Drawn by the same numbers, no file of a split's training part would ever be held out."""
    many = [
        record(f"F{i}.v", f"t{i}", f"Lemma t{i} : {i} = {i}.", f"{i} = {i}", ["auto."]) for i in range(300)
    ]
    split = make_split(many, SplitSettings(by=SplitBy.FILE, ratios=(0.7, 0.1, 0.2)))
    left = make_dataset(tmp_path / "d", [proof for proof in many if proof.id in split.train])
    found = load(gpt2, data={"train": [left], "share": 0.1, "by": "file", "leakage": "off"})
    assert 5 <= len(found.validation.theorems()) <= 45 and not found.warnings


def test_nothing_held_out_is_said(gpt2: Path, proofs: Path) -> None:
    found = load(gpt2, data={"train": [proofs], "share": 1e-9})
    assert not len(found.validation)
    assert any("held nothing out" in warning for warning in found.warnings)


def test_what_is_tokenised_is_told(gpt2: Path, proofs: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    class Told(Progress):
        def __init__(self) -> None:
            self.lines: list[tuple[int, int]] = []

        def update(self, done: int, total: int, text: str) -> None:
            self.lines.append((done, total))

    settings = config(gpt2, data={"train": [proofs], "share": 0.2, "cache": tmp_path})
    encoder = Encoder(load_template("goal-proofstep"), AutoTokenizer.from_pretrained(gpt2), 96)
    first, again = Told(), Told()
    found = load_examples(settings, encoder, first)
    learnt = len(found.train.theorems())
    assert first.lines == [(number, learnt) for number in range(1, learnt + 1)]
    load_examples(settings, encoder, again)
    assert not again.lines, "the second time there is nothing to tokenise"


def test_files_are_held_out_whole(gpt2: Path, proofs: Path) -> None:
    found = load(gpt2, data={"train": [proofs], "share": 0.4, "by": "file"})
    files = [
        {examples.meta(i).theorem.partition(":")[0] for i in range(len(examples))}
        for examples in (found.train, found.validation)
    ]
    assert files[0] and files[1] and not files[0] & files[1]


def test_a_split_file_decides_and_its_test_part_is_left_out(gpt2: Path, proofs: Path, tmp_path: Path) -> None:
    ids = [proof.id for proof in records()]
    split = Split(
        settings=SplitSettings(by=SplitBy.RANDOM),
        train=tuple(ids[:30]), val=tuple(ids[30:40]), test=tuple(ids[40:]),
    )  # fmt: skip
    split.save(tmp_path / "split.json")
    found = load(gpt2, data={"train": [proofs], "split": tmp_path / "split.json"})
    assert found.train.theorems() == set(ids[:30]) and found.validation.theorems() == set(ids[30:40])
    assert found.train.dropped["not in the split's train or val"] == 20


def test_sources_for_validation_are_only_measured_on(gpt2: Path, proofs: Path, tmp_path: Path) -> None:
    other = make_dataset(tmp_path / "other", [record("O.v", "o", "Lemma o : 7 = 7.", "7 = 7", ["auto."])])
    found = load(gpt2, data={"train": [proofs], "validation": [other]})
    assert len(found.train.theorems()) == 60 and found.validation.theorems() == {"O.v:o"}


@pytest.mark.parametrize("name", ["parquet", "jsonl"])
def test_files_of_other_formats_are_read(gpt2: Path, proofs: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / f"proofs.{name}"
    assert main(["data", "convert", str(proofs), str(target), "--to", name]) == 0
    by_suffix = load(gpt2, data={"train": [target]})
    named = load(gpt2, data={"train": [f"{name}:{target}"]})
    whole = load(gpt2, data={"train": [proofs]})
    assert [e.ids for e in by_suffix.train] == [e.ids for e in named.train] == [e.ids for e in whole.train]


def test_copies_of_what_is_held_out_are_left_out_reported_or_refused(gpt2: Path, tmp_path: Path) -> None:
    """Equal up to bound names counts as equal."""
    mine = [*records(30), record("B.v", "b", "Lemma b : forall n, n = n.", "n = n", ["auto."])]
    train = make_dataset(tmp_path / "train", mine)
    held = make_dataset(
        tmp_path / "held", [record("C.v", "c", "Lemma c : forall k, k = k.", "k = k", ["reflexivity."])]
    )
    data: dict[str, Any] = {"train": [train], "validation": [held]}
    dropped = load(gpt2, data=data | {"leakage": "drop"})
    assert "B.v:b" not in dropped.train.theorems() and len(dropped.train.theorems()) == 30
    assert dropped.train.dropped["its statement is held out for validation"] == 1
    warned = load(gpt2, data=data | {"leakage": "warn"})
    assert "B.v:b" in warned.train.theorems() and "C.v:c is B.v:b" in warned.warnings[0]
    assert not load(gpt2, data=data | {"leakage": "off"}).warnings
    with pytest.raises(ConfigError, match=r"1 statements held out .* C.v:c is B.v:b in training"):
        load(gpt2, data=data | {"leakage": "error"})


def test_what_is_left_out_is_counted_with_its_reason(gpt2: Path, tmp_path: Path) -> None:
    long = record("L.v", "l", "Lemma l : 1 = 1.", "1 = 1", ["auto.", "exact (" + "x y z " * 80 + ")."])
    open_ = record("A.v", "a", "Lemma a : 2 = 2.", "2 = 2", ["auto."], terminator="Admitted")
    folder = make_dataset(tmp_path / "d", [*records(12), long, open_])
    found = load(gpt2, data={"train": [folder], "share": 0})
    assert found.train.dropped == Counter(
        {"longer than prompt.max_tokens": 1, "the proof is not finished, or has no states": 1}
    )
    assert len(found.train) == 21


def test_a_limit_takes_a_sample_of_everything(gpt2: Path, tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "d", list(records(300)))
    whole = load(gpt2, data={"train": [folder], "share": 0.5})
    some = load(gpt2, data={"train": [folder], "share": 0.5, "limit": 100, "max_validation": 40})
    assert 70 <= len(some.train) <= 130 and 20 <= len(some.validation) <= 60
    ids = [{examples.meta(i).id for i in range(len(examples))} for examples in (whole.train, some.train)]
    assert ids[1] < ids[0]
    files = {some.train.meta(i).theorem.partition(":")[0] for i in range(len(some.train))}
    assert len(files) == 6


def test_nothing_left_says_why(gpt2: Path, proofs: Path, tmp_path: Path) -> None:
    empty = make_dataset(tmp_path / "empty", [])
    with pytest.raises(DataError, match="holds no proofs"):
        load(gpt2, data={"train": [empty]})
    with pytest.raises(DataError, match=r"only proofs of lean4 are taken.* holds no proofs"):
        load(gpt2, data={"train": [{"path": str(proofs), "prover": "lean4"}]})
    unfinished = [
        record("A.v", f"a{i}", f"Lemma a{i} : {i} = {i}.", f"{i} = {i}", ["auto."], terminator="Admitted")
        for i in range(3)
    ]
    with pytest.raises(DataError, match="no example is left to learn from: 3 x the proof is not finished"):
        load(gpt2, data={"train": [make_dataset(tmp_path / "open", unfinished)], "share": 0})


def test_a_template_that_leaves_no_room_for_the_completion_stops(gpt2: Path, tmp_path: Path) -> None:
    long = [
        record(f"L{i}.v", "l", f"Lemma l : {i} = {i}.", "n = n " * 60, ["exact (" + "f x " * 20 + ")."])
        for i in range(3)
    ]
    folder = make_dataset(tmp_path / "d", long)
    with pytest.raises(ConfigError, match=r"The completion does not fit: prompt.max_tokens is 104 with"):
        load(gpt2, data={"train": [folder], "share": 0}, prompt={"max_prompt_tokens": 96, "max_tokens": 104})


def test_names_that_stand_for_nothing_are_all_told_at_once(gpt2: Path, proofs: Path) -> None:
    with pytest.raises(ConfigError) as e:
        load(gpt2, data={"train": ["coq-stdlbi:Bool", proofs, "mesages:x.json"]})
    assert len(e.value.problems) == 2
    assert "did you mean 'coq-stdlib'" in e.value.problems[0] and "'messages'" in e.value.problems[1]
    with pytest.raises(DataError, match="no such file or folder"):
        load(gpt2, data={"train": ["data/not-there"]})


def test_premises_are_those_that_stood_before_the_theorem(gpt2: Path, tmp_path: Path) -> None:
    from prover_core.data.dataset import Dataset
    from prover_core.records import DeclarationRecord, PositionRecord

    def declared(name: str, statement: str, at: int) -> DeclarationRecord:
        place = PositionRecord(start=at, end=at + 5, line=at, column=1)
        return DeclarationRecord(
            name=name, kind="lemma", module="M", file="M.v", statement=statement, position=place
        )

    place = PositionRecord(start=50, end=60, line=5, column=1)
    proof = record(
        "M.v", "here", "Lemma here : a + b = b + a.", "a + b = b + a", ["auto."], position=place, module="M"
    )
    with Dataset.create(tmp_path / "d", prover="coq") as dataset:
        declarations = [declared("before", "a + b = b + a", 10), declared("after", "a + b = b + a", 90)]
        dataset.write_part("M.v", "M.v", "test", [proof], declarations)
        dataset.finish()
    found = load(
        gpt2, data={"train": [tmp_path / "d"], "share": 0}, prompt={"premises": 4, "max_prompt_tokens": 96}
    )
    from transformers import AutoTokenizer

    text = AutoTokenizer.from_pretrained(gpt2).decode(found.train[0].ids)
    assert "[PREMISES]before : a + b = b + a" in text and "after" not in text


def test_the_cache_is_used_again_and_made_again_when_anything_changes(
    gpt2: Path, proofs: Path, tmp_path: Path
) -> None:
    data = {"train": [proofs], "cache": tmp_path / "cache"}
    first, again = load(gpt2, data=data), load(gpt2, data=data)
    assert not first.report["cached"] and again.report["cached"]
    assert [e.ids for e in first.train] == [e.ids for e in again.train]
    assert not load(gpt2, data=data, prompt={"max_prompt_tokens": 64, "max_tokens": 128}).report["cached"]
    assert not load(gpt2, "next-tactic", data=data).report["cached"]
    assert not load(gpt2, data=data | {"share": 0.3}).report["cached"]
    copy = tmp_path / "copy"
    shutil.copytree(proofs, copy)
    assert (
        load(gpt2, data=data | {"train": [copy]}).report["cached"] is False
    )  # another path is another source
    assert load(gpt2, data=data | {"train": [{"path": str(proofs), "weight": 3}]}).report["cached"]


@pytest.mark.parametrize("file", ["tokens.npy", "table.npy", "texts.bin", "head.json"])
@pytest.mark.parametrize("how", ["cut", "changed", "gone"])
def test_a_damaged_cache_is_made_again(gpt2: Path, proofs: Path, tmp_path: Path, file: str, how: str) -> None:
    data = {"train": [proofs], "cache": tmp_path / "cache"}
    whole = [e.ids for e in load(gpt2, data=data).train]
    (path,) = (tmp_path / "cache").glob(f"*/train/{file}")
    content = bytearray(path.read_bytes())
    if how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "gone":
        path.unlink()
    else:
        content[len(content) // 2] ^= 0x41
        path.write_bytes(content)
    found = load(gpt2, data=data)
    assert [e.ids for e in found.train] == whole and (not found.report["cached"] or file == "head.json")
    assert load(gpt2, data=data).report["cached"]
    assert [p.name for p in (tmp_path / "cache").iterdir() if p.name.startswith(".")] == []


_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from models.train.test_train_data import load
found = load(Path(sys.argv[2]), data={"train": [sys.argv[3]], "cache": Path(sys.argv[4])})
print(len(found.train), found.train.tokens)
"""


def test_two_processes_may_make_the_same_cache(gpt2: Path, proofs: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-c", _PROGRAM, str(Path(__file__).parents[2])]
    words += [str(gpt2), str(proofs), str(tmp_path / "cache")]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0] == said[1] and said[0].split()[0].isdigit()
    assert len(list((tmp_path / "cache").iterdir())) == 1


def plan(lengths: list[int], parts: list[int] | None = None, **changes: Any) -> Plan:
    given: dict[str, Any] = {
        "lengths": np.array(lengths, dtype=np.int32),
        "parts": np.array(parts or [0] * len(lengths), dtype=np.int16),
        "weights": (1.0,), "capacity": 32, "packed": True, "batch_size": 2, "batch_tokens": None, "seed": 0,
    }  # fmt: skip
    return Plan(**given | changes)


def test_sources_are_seen_as_often_as_their_weights_say() -> None:
    mixed = plan([8] * 100, [0] * 60 + [1] * 30 + [2] * 10, weights=(1.0, 2.5, 0.5))
    seen = Counter(i for row in mixed.round(0, None, 0.0) for i in row)
    assert all(seen[i] == 1 for i in range(60))
    assert Counter(seen[i] for i in range(60, 90)) == {2: 15, 3: 15}
    assert Counter(seen[i] for i in range(90, 100)) == {0: 5, 1: 5}


def test_the_same_seed_gives_the_same_batches_and_another_others() -> None:
    lengths = [5 + i % 20 for i in range(50)]
    first, again = (list(Batches(plan(lengths), 40)) for _ in range(2))
    other = list(Batches(plan(lengths, seed=1), 40))
    assert first == again != other and len(first) == 40


def test_every_example_comes_once_in_a_round() -> None:
    lengths = [5 + i % 20 for i in range(50)]
    for packed in (True, False):
        rows = plan(lengths, packed=packed).round(3, None, 0.0)
        assert sorted(i for row in rows for i in row) == list(range(50))


def test_batches_by_tokens_keep_to_the_limit_with_padding() -> None:
    lengths = [5 + (i * 7) % 28 for i in range(60)]
    told = plan(lengths, packed=False, batch_tokens=100)
    batches = list(row_batches(iter(told.round(0, None, 0.0)), told))
    sizes = [max(lengths[i] for (i,) in batch) * len(batch) for batch in batches]
    assert max(sizes) <= 100 and sum(len(batch) for batch in batches) == 60
    packed = plan(lengths, batch_tokens=100)
    assert {len(batch) for batch in list(row_batches(iter(packed.round(0, None, 0.0)), packed))[:-1]} == {3}


def test_an_epoch_is_one_pass() -> None:
    told = plan([16] * 40)  # two in a row, two rows in a batch: ten batches
    assert told.steps(1, 1, 1, None) == 10
    assert told.steps(3, 2, 1, None) == 15
    assert told.steps(0.5, 1, 2, None) == 3


def test_a_named_source_is_extracted_once(
    gpt2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``coq-files:FOLDER``: a data source of theorems in files, read by the extractor of their prover."""
    from toolchains import any_coq

    install = any_coq()
    monkeypatch.setenv("PROVER_COQ_BIN", str(install.bin))
    monkeypatch.setenv("POLYPROVER_CACHE", str(tmp_path / "cache"))
    lines = [
        f"Lemma t{i} : forall n : nat, n + {i} = n + {i}.\nProof. intros n. reflexivity. Qed."
        for i in range(8)
    ]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "A.v").write_text("\n".join(lines) + "\n", encoding="utf-8")
    name = f"coq-files:{tmp_path / 'mine'}"
    found = load(gpt2, data={"train": [name], "share": 0})
    assert len(found.train) == 16 and {found.train.answer(i) for i in range(16)} == {
        "intros n.",
        "reflexivity.",
    }
    (folder,) = (tmp_path / "cache" / "datasets").iterdir()
    before = (folder / "parts.json").read_bytes()
    assert load(gpt2, data={"train": [name], "share": 0}).report["cached"]
    assert (folder / "parts.json").read_bytes() == before and json.loads(before)
