"""The examples of a training run: found in the cache, or read, split, checked for leaks and tokenised."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prover_core.cli.progress import Progress
from prover_core.errors import ConfigError, DataError
from prover_models.folders import cache_folder
from prover_models.lm.adapter import vocabulary_hash
from prover_models.lm.encoding import Encoder
from prover_models.train.config import TrainConfig
from prover_models.train.examples import TOO_LONG, Examples, cached, write_examples
from prover_models.train.lessons import Corpus, SourcedLesson, corpus_digest, open_corpus

__all__ = ["TrainingExamples", "load_examples"]

_MAKE: Final = 3
"""Of the way in which examples are made: a change makes all caches old."""


@dataclass(frozen=True, slots=True)
class TrainingExamples:
    """What is learnt and what it is measured on."""

    train: Examples
    validation: Examples
    report: dict[str, Any]
    """What was left out and why, leaks, licences, digest of the data."""
    warnings: tuple[str, ...]


def load_examples(
    config: TrainConfig, encoder: Encoder, progress: Progress | None = None
) -> TrainingExamples:
    """The examples; see the module's text.

    :param progress: is told how many proofs have been tokenised.
    :raises ConfigError: sources of no known kind; leaks, and ``data.leakage`` is ``error``.
    :raises DataError: files that cannot be read; nothing is left to learn from, with the reasons.
    """
    corpus = open_corpus(config, encoder.template)
    key = _key(config, encoder, corpus)
    folder = (config.data.cache or cache_folder() / "train").expanduser() / key

    def make(new: Path) -> None:
        corpus.divide()
        longest = config.prompt.max_tokens
        write_examples(
            _told(corpus.train(), corpus.report.proofs["train"], progress or Progress()),
            encoder,
            new / "train",
            dropped=lambda: dict(corpus.report.dropped),
            notes=lambda: {"corpus": _corpus_notes(corpus), "data": corpus_digest(corpus)},
            max_tokens=longest,
        )
        write_examples(
            corpus.validation(),
            encoder,
            new / "validation",
            max_tokens=longest,
            notes=lambda: {"projects": {name: n for name, n in corpus.report.projects.items() if n and name}},
        )

    (train, validation), was_there = cached(folder, ("train", "validation"), make)
    _check_left(train, config)
    told = train.head["corpus"]
    report = {
        "examples": {"train": len(train), "validation": len(validation)},
        "tokens": {"train": train.tokens, "validation": validation.tokens},
        "dropped": {"train": dict(train.dropped), "validation": dict(validation.dropped)},
        "data_digest": hashlib.blake2b("".join(train.head["data"]).encode(), digest_size=8).hexdigest(),
        "cached": was_there,
        **told,
    }
    return TrainingExamples(train, validation, report, _warnings(config, told, len(validation)))


def _told(lessons: Iterable[SourcedLesson], proofs: int, progress: Progress) -> Iterator[SourcedLesson]:
    """The lessons; minutes may pass before the first step of training."""
    done, last = 0, ""
    for lesson in lessons:
        if lesson.theorem != last:
            done, last = done + 1, lesson.theorem
            progress.update(done, proofs, "proofs tokenised; kept for the next time")
        yield lesson


def _key(config: TrainConfig, encoder: Encoder, corpus: Corpus) -> str:
    data = config.data.model_dump(mode="json", exclude={"cache"})
    for part in (*data["train"], *data["validation"]):
        part.pop("weight")
    split = config.data.split
    told = [
        _MAKE,
        vocabulary_hash(encoder.tokenizer),
        encoder.template.digest,
        getattr(encoder.tokenizer, "chat_template", None) if encoder.template.chat else None,
        config.prompt.model_dump(mode="json", exclude={"template"}),
        data,
        corpus_digest(corpus),
        hashlib.blake2b(_split_bytes(split)).hexdigest() if split is not None else "",
    ]
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=12).hexdigest()


def _split_bytes(split: Path) -> bytes:
    try:
        return split.expanduser().read_bytes()
    except OSError as error:
        message = (
            f"data.split {split}: cannot be read: {error.strerror or error}; `prover data split` makes one"
        )
        raise DataError(message) from error


def _corpus_notes(corpus: Corpus) -> dict[str, Any]:
    """For the head; what was dropped is counted with the examples."""
    report = corpus.report
    return {
        "proofs": dict(report.proofs),
        "leaks": report.leaks,
        "leak_examples": report.leak_examples,
        "licences": report.licences,
    }


def _check_left(train: Examples, config: TrainConfig) -> None:
    if len(train):
        return
    dropped = train.dropped
    reasons = "; ".join(f"{count} x {reason}" for reason, count in dropped.most_common())
    message = f"no example is left to learn from: {reasons or 'the data hold no steps'}"
    if dropped[TOO_LONG] and dropped.most_common(1)[0][0] == TOO_LONG:
        message += (
            f". The completion does not fit: prompt.max_tokens is {config.prompt.max_tokens} with "
            f"prompt.max_prompt_tokens {config.prompt.max_prompt_tokens}; raise the first or lower the second"
        )
        raise ConfigError([message])
    raise DataError(message)


def _warnings(config: TrainConfig, told: dict[str, Any], validation: int) -> tuple[str, ...]:
    found = []
    if not validation and config.data.share and not config.data.validation and config.data.split is None:
        found.append(
            f"data.share {config.data.share:g} by {config.data.by} held nothing out, so nothing is measured; "
            "raise it, or name data.validation"
        )
    leaks = told["leaks"]
    if config.data.leakage == "warn" and leaks.get("shape"):
        shown = "; ".join(f"{mine} is {theirs}" for mine, theirs in told["leak_examples"][:3])
        found.append(
            f"{leaks['shape']} statements held out for validation are in the training data as well "
            f"({shown}); data.leakage=drop leaves the copies out of training"
        )
    if leaks.get("proof"):
        found.append(
            f"{leaks['proof']} proofs held out for validation have the sentences of one in the training data"
        )
    return tuple(found)
