"""Since when files and theorems are there, in histories that are hard to read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prover_coq.environment import CoqEnvironment
from prover_core.crawl.dates import load_dates
from prover_core.crawl.git import BlobReader, Git, GitError
from prover_core.crawl.history import iso_date, read_history, tree_files
from prover_core.crawl.theorems import DatedTheorem, StatementReader, dated_theorems

ONE = "Lemma one : 1 + 1 = 2.\nProof. reflexivity. Qed.\n"
TWO = "Lemma two : forall n : nat, n + 0 = n.\nProof. intros. auto. Qed.\n"
THREE = "Theorem three : forall n : nat, 0 + n = n.\nProof. reflexivity. Qed.\n"
PADDING = "".join(f"Definition padding_{i} := {i}.\n" for i in range(30))


def dates_of(path: Path, commit: str = "HEAD") -> dict[tuple[str, str], DatedTheorem]:
    git = Git(path, threading.Event(), 60, protocols="file")
    reader = StatementReader(CoqEnvironment())
    history = read_history(git, commit, reader.suffixes)
    sources = [(name, blob) for name, blob, _ in tree_files(git, commit) if name.endswith(".v")]
    with BlobReader(git) as blobs:
        found = list(dated_theorems(reader, blobs, sources, history, set()))
    return {(theorem.file, theorem.theorem): theorem for theorem in found}


def day(text: str) -> str:
    return text[:10]


def test_a_theorem_dates_from_the_commit_that_has_it_first(hub: Any) -> None:
    repo = hub("o/r")
    first = repo.commit("2019-03-01", {"a.v": ONE})
    repo.commit("2020-03-01", {"a.v": ONE + TWO})
    found = dates_of(repo.path)
    assert found["a.v", "one"].first_seen == "2019-03-01T12:00:00Z"
    assert found["a.v", "one"].commit == first
    assert day(found["a.v", "two"].first_seen) == "2020-03-01"
    assert day(found["a.v", "two"].file_first_seen) == "2019-03-01"


def test_only_what_comes_before_the_commit_counts(hub: Any) -> None:
    repo = hub("o/r")
    first = repo.commit("2019-03-01", {"a.v": ONE})
    repo.commit("2020-03-01", {"a.v": ONE + TWO})
    assert set(dates_of(repo.path, first)) == {("a.v", "one")}


def test_renamed_files_keep_their_date_over_several_renames(hub: Any) -> None:
    repo = hub("o/r")
    repo.commit("2018-01-01", {"a.v": PADDING + ONE})
    repo.git("mv", "a.v", "b.v")
    repo.commit("2019-01-01")
    (repo.path / "sub dir").mkdir()
    repo.git("mv", "b.v", "sub dir/cé.v")
    repo.commit("2020-01-01", {"sub dir/cé.v": PADDING + ONE + TWO})
    found = dates_of(repo.path)
    assert day(found["sub dir/cé.v", "one"].file_first_seen) == "2018-01-01"
    assert day(found["sub dir/cé.v", "one"].first_seen) == "2018-01-01"
    assert day(found["sub dir/cé.v", "two"].file_first_seen) == "2018-01-01"
    assert day(found["sub dir/cé.v", "two"].first_seen) == "2020-01-01"


def test_a_theorem_moved_to_another_file_and_module_keeps_its_date(hub: Any) -> None:
    repo = hub("o/r")
    repo.commit("2018-01-01", {"a.v": ONE + TWO})
    repo.commit("2021-01-01", {"a.v": ONE, "b.v": f"Module M.\n{TWO}End M.\n"})
    found = dates_of(repo.path)
    assert day(found["b.v", "M.two"].first_seen) == "2018-01-01"
    assert day(found["b.v", "M.two"].file_first_seen) == "2021-01-01"


def test_a_changed_statement_is_a_new_theorem_of_an_old_name(hub: Any) -> None:
    repo = hub("o/r")
    repo.commit("2018-01-01", {"a.v": "Lemma l : 1 = 1. Proof. auto. Qed.\n"})
    repo.commit("2022-01-01", {"a.v": "Lemma l : 2 = 2. Proof. auto. Qed.\n"})
    theorem = dates_of(repo.path)["a.v", "l"]
    assert (day(theorem.first_seen), day(theorem.name_first_seen)) == ("2022-01-01", "2018-01-01")


def test_layout_comments_keyword_and_proof_do_not_make_a_new_theorem(hub: Any) -> None:
    repo = hub("o/r")
    repo.commit("2018-01-01", {"a.v": "Lemma l : 1 + 1 = 2.\nProof. auto. Qed.\n"})
    repo.commit(
        "2022-01-01", {"a.v": "(* new *) Theorem l :\n  1 + 1 = (* yes *) 2.\nProof. now simpl. Qed.\n"}
    )
    assert day(dates_of(repo.path)["a.v", "l"].first_seen) == "2018-01-01"


def test_a_statement_that_came_back_dates_from_its_first_time(hub: Any) -> None:
    repo = hub("o/r")
    repo.commit("2018-01-01", {"a.v": ONE})
    repo.commit("2019-01-01", {"a.v": TWO})
    repo.commit("2020-01-01", {"a.v": TWO + ONE})
    assert day(dates_of(repo.path)["a.v", "one"].first_seen) == "2018-01-01"


def test_branches_count_from_their_own_commits_not_from_the_merge(hub: Any) -> None:
    repo = hub("o/r")
    repo.commit("2018-01-01", {"a.v": ONE})
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("2019-01-01", {"b.v": TWO})
    repo.git("checkout", "-q", "main")
    repo.commit("2020-01-01", {"a.v": ONE + THREE})
    repo.git("merge", "-q", "--no-ff", "-m", "m", "side", date="2021-01-01T00:00:00Z")
    found = dates_of(repo.path)
    assert day(found["b.v", "two"].first_seen) == "2019-01-01"
    assert day(found["a.v", "three"].first_seen) == "2020-01-01"


def test_a_branch_whose_merge_changed_nothing_counts_too(hub: Any) -> None:
    # Plain `git log -- PATHS` leaves such branches out.
    repo = hub("o/r")
    repo.commit("2018-01-01", {"x.v": THREE})
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("2019-01-01", {"a.v": ONE})
    repo.git("checkout", "-q", "main")
    repo.commit("2020-01-01", {"a.v": ONE})
    repo.git("merge", "-q", "--no-ff", "-m", "m", "side", date="2021-01-01T00:00:00Z")
    assert day(dates_of(repo.path)["a.v", "one"].first_seen) == "2019-01-01"


def test_what_a_merge_itself_brings_dates_from_the_merge(hub: Any) -> None:
    repo = hub("o/r")
    repo.commit("2018-01-01", {"a.v": ONE})
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("2019-01-01", {"b.v": TWO})
    repo.git("checkout", "-q", "main")
    repo.commit("2019-06-01", {"a.v": ONE + "\n"})
    repo.git("merge", "-q", "--no-commit", "--no-ff", "side")
    merged = repo.commit("2021-01-01", {"a.v": ONE + THREE})
    assert len(repo.git("log", "-1", "--format=%P").split()) == 2
    assert dates_of(repo.path)["a.v", "three"].commit == merged


def test_two_histories_joined_count_both(hub: Any) -> None:
    repo = hub("o/r")
    repo.commit("2018-01-01", {"a.v": ONE})
    repo.git("checkout", "-q", "--orphan", "other")
    repo.git("rm", "-qrf", ".")
    repo.commit("2010-01-01", {"b.v": TWO})
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--allow-unrelated-histories", "-m", "m", "other", date="2021-01-01T00:00:00Z")
    git = Git(repo.path, threading.Event(), 60)
    history = read_history(git, "HEAD", (".v",))
    assert (iso_date(history.began), history.commits) == ("2010-01-01T12:00:00Z", 3)
    assert day(dates_of(repo.path)["b.v", "two"].first_seen) == "2010-01-01"


def test_clocks_that_went_wrong_give_the_earliest_date(hub: Any) -> None:
    repo = hub("o/r")
    repo.commit("2020-01-01", {"a.v": ONE})
    repo.commit("2015-01-01", {"a.v": ONE + TWO})  # a child older than its parent
    found = dates_of(repo.path)
    assert day(found["a.v", "two"].first_seen) == "2015-01-01"
    assert day(found["a.v", "one"].first_seen) == "2015-01-01"


def test_names_that_the_prover_makes_up_are_dated(hub: Any) -> None:
    repo = hub("o/r")
    repo.commit("2018-01-01", {"a.v": "Goal 1 = 1. Proof. auto. Qed.\n"})
    repo.commit("2020-01-01", {"a.v": "Goal 1 = 1. Proof. auto. Qed.\nDefinition x := 1.\n"})
    assert day(dates_of(repo.path)["a.v", "Unnamed_thm"].first_seen) == "2018-01-01"


def test_versions_that_are_no_text_are_counted_and_passed_over(hub: Any) -> None:
    repo = hub("o/r")
    (repo.path / "a.v").write_bytes(b"Lemma one : \xff\xfe. Proof. auto. Qed.")
    repo.commit("2018-01-01")
    repo.commit("2019-01-01", {"a.v": ONE})
    git = Git(repo.path, threading.Event(), 60)
    reader = StatementReader(CoqEnvironment())
    history = read_history(git, "HEAD", (".v",))
    sources = [(name, blob) for name, blob, _ in tree_files(git, "HEAD")]
    unreadable: set[str] = set()
    with BlobReader(git) as blobs:
        (theorem,) = dated_theorems(reader, blobs, sources, history, unreadable)
    assert day(theorem.first_seen) == "2019-01-01"
    assert len(unreadable) == 1


def test_dates_are_the_committers_and_in_utc(hub: Any) -> None:
    repo = hub("o/r")
    repo.write_files({"a.v": ONE})
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "x", date="2023-12-31T23:30:00-0500")
    assert dates_of(repo.path)["a.v", "one"].first_seen == "2024-01-01T04:30:00Z"


def test_a_long_history_is_read_whole(hub: Any) -> None:
    repo = hub("o/r")
    stream = []
    for number in range(400):
        text = "".join(f"Lemma l{i} : {i} = {i}. Proof. auto. Qed.\n" for i in range(number // 20 + 1))
        data = f"(* {number} *)\n{text}"
        stream.append(
            f"commit refs/heads/main\ncommitter c <c@example.org> {1500000000 + number * 86400} +0000\n"
            f"data 1\nx\nM 100644 inline dir/a.v\ndata {len(data)}\n{data}\n"
        )
    script = repo.path / "script"
    script.write_text("".join(stream))
    repo.git("-c", "alias.load=!git fast-import --quiet < script", "load")
    found = dates_of(repo.path, "main")
    assert found["dir/a.v", "l0"].first_seen == iso_date(1500000000)
    assert found["dir/a.v", "l19"].first_seen == iso_date(1500000000 + 380 * 86400)


def test_git_that_fails_says_what_it_said(tmp_path: Path) -> None:
    git = Git(tmp_path, threading.Event(), 60)
    with pytest.raises(GitError, match=r"`git log` failed: fatal: not a git repository"):
        git.run("log")


def test_git_that_takes_too_long_is_ended(hub: Any) -> None:
    git = Git(hub("o/r").path, threading.Event(), 0.5)
    with git.child("cat-file", "--batch") as child, pytest.raises(GitError, match=r"took more than 0\.5 s"):
        git.read(child, 0.0, "cat-file")


def test_lookup_by_file_and_name(tmp_path: Path, hub: Callable[[str], Any]) -> None:
    (tmp_path / "out" / "dates").mkdir(parents=True)
    checkout = tmp_path / "out" / "repos" / "o__r" / "theories"
    checkout.mkdir(parents=True)
    row = '{{"file": "{}", "theorem": "{}", "first_seen": "{}"}}\n'
    (tmp_path / "out" / "dates" / "o__r.jsonl").write_text(
        row.format("theories/a.v", "M.l", "2018")
        + row.format("theories/a.v", "N.l", "2019")
        + row.format("theories/a.v", "M.only", "2020")
        + row.format("x/b.v", "same", "2021")
        + row.format("y/b.v", "same", "2022")
    )
    lookup = load_dates(checkout)
    assert lookup is not None and lookup.theorems == 5
    assert lookup("theories/a.v", "M.l") == "2018"
    assert lookup("a.v", "N.l") == "2019"  # named relative to a project below the repository
    assert lookup("a.v", "only") == "2020"
    assert lookup("a.v", "l") == ""  # which of the two?
    assert lookup("b.v", "same") == ""
    assert lookup("y/b.v", "same") == "2022"
    assert lookup("c.v", "same") == ""
    assert load_dates(tmp_path) is None
