"""Manifests, and licences by their texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prover_core.crawl.licences import guess_licence, is_licence_file, licence_allowed, licence_of_opam
from prover_core.crawl.targets import parse_entry, read_manifest
from prover_core.errors import ConfigError, DataError

SHA = "47cfed8a05ab2d902fbcd3842750681b00f706ac"


def test_a_manifest_of_names_and_commits(tmp_path: Path) -> None:
    path = tmp_path / "commits.json"
    path.write_text(json.dumps({"o/a": SHA, "p/b.c-d": None, "O/A": "x"}))
    one, two = read_manifest(path)
    assert (one.name, one.url, one.commit) == ("o/a", "https://github.com/o/a", SHA)
    assert (one.folder, one.exact, one.protocols) == ("o__a", True, "https")
    assert (two.name, two.commit, two.exact) == ("p/b.c-d", "", False)


def test_a_manifest_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"# mine\n\no/a@{SHA}  # the first\nhttps://example.org/x/y.git@v1\n{tmp_path}\n")
    one, two, three = read_manifest(path, "https://example.org/")
    assert (one.url, one.commit) == ("https://example.org/o/a", SHA)
    assert (two.name, two.folder, two.commit) == ("x/y", "x__y", "v1")
    assert three.url == f"file://{tmp_path}"
    assert three.protocols == "file"


def test_a_manifest_of_entries_in_json(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps(["o/a", {"repo": "o/b", "commit": SHA}, f"o/c@{SHA}"]))
    assert [(t.name, t.commit) for t in read_manifest(path)] == [("o/a", ""), ("o/b", SHA), ("o/c", SHA)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"o/a": ', "no[t]? a JSON text"),
        ('{"o/a": 3}', "entry 1: expected"),
        ("[[]]", "entry 1: expected"),
        ("o/a\n--upload-pack=x\n", "list:2: .*is no repository"),
        ("o/..\n", "is no repository"),
        ("git@github.com:o/a\n", "is no repository"),
        ("ssh://github.com/o/a\n", "https, http or from files only"),
        ("ext::sh -c x\n", "is no repository"),
        ('{"o/a": "--upload-pack=x"}', "names no commit"),
        ('{"o/a": "a:b"}', "names no commit"),
    ],
)
def test_entries_that_are_none(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "list"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        read_manifest(path)


def test_a_manifest_that_is_no_text_or_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"o/a\n\xff")
    with pytest.raises(DataError, match=r"not UTF-8 \(byte 4\)"):
        read_manifest(tmp_path / "list")
    with pytest.raises(DataError, match="No such file"):
        read_manifest(tmp_path / "other")


def test_credentials_in_a_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="holds credentials") as caught:
        parse_entry("https://me:secret@example.org/a/b")
    assert "secret" not in str(caught.value)


def test_folders_of_strangers_are_told_apart() -> None:
    entries = ["https://a.org/x/y", "https://b.org/x/y", "/srv/y", "/home/y", "x/y"]
    assert len({parse_entry(entry).folder for entry in entries}) == 5


GNU = "GNU {}GENERAL PUBLIC LICENSE\n   Version {}, 29 June 2007\n\n{}"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("MIT License\n\nCopyright (c) me", "MIT"),
        (
            "Copyright\n\nPermission is hereby granted, free\n * of charge, ... The above copyright notice "
            "and this\n * permission notice shall be included",
            "MIT",
        ),
        ("Apache License\n   Version 2.0, January 2004", "Apache-2.0"),
        ("Redistribution and use in source and binary forms ... disclaimer", "BSD-2-Clause"),
        ("Redistribution and use in source and binary forms ... endorse or promote", "BSD-3-Clause"),
        (GNU.format("", 3, "x " * 900 + "see the GNU Lesser General Public License, version 3"), "GPL-3.0"),
        (GNU.format("", 2, "x " * 900), "GPL-2.0"),
        (GNU.format("LESSER ", "2.1", ""), "LGPL-2.1"),
        (
            GNU.format("LESSER ", "3", "version 3 of the GNU General Public License"),
            "LGPL-3.0",
        ),
        (GNU.format("AFFERO ", "3", ""), "AGPL-3.0"),
        ("Mozilla Public License Version 2.0", "MPL-2.0"),
        ("# SPDX-License-Identifier: LGPL-2.1-or-later\n", "LGPL-2.1-or-later"),
        (
            "Permission to use, copy, modify, and/or distribute this software for any purpose with or "
            "without fee is hereby granted, provided that the above copyright notice and this permission "
            "notice appear in all copies.",
            "ISC",
        ),
        ("All rights reserved.", ""),
        ("", ""),
    ],
)
def test_licences_by_their_words(text: str, name: str) -> None:
    assert guess_licence(text) == name


def test_names_of_licence_files() -> None:
    assert all(
        map(is_licence_file, ["LICENSE", "License.md", "LICENCE.txt", "COPYING", "UNLICENSE", "MIT-LICENSE"])
    )
    assert not any(map(is_licence_file, ["README.md", "licensing", "a.v"]))


def test_licences_of_opam_files() -> None:
    assert licence_of_opam('opam-version: "2.0"\nlicense: "CECILL-B"\n') == "CECILL-B"
    assert licence_of_opam('license: ["MIT" "Apache-2.0"]\n') == "MIT"
    assert licence_of_opam("x") == ""


@pytest.mark.parametrize(
    ("licence", "allowed", "unknown", "answer"),
    [
        ("GPL-3.0", {"gpl-3.0-or-later"}, False, True),
        ("GPL-3.0-only", {"GPL-3.0"}, False, True),
        ("GPL-3.0", {"GPL-2.0"}, False, False),
        ("LGPL-3.0", {"GPL-3.0"}, False, False),
        ("", {"MIT"}, False, False),
        ("", {"MIT"}, True, True),
        ("", set(), False, True),
    ],
)
def test_licences_that_are_wanted(licence: str, allowed: set[str], unknown: bool, answer: bool) -> None:
    assert licence_allowed(licence, allowed, unknown=unknown) is answer
