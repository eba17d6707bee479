"""From sources of proofs to lessons: which theorems are learnt, which are held out, and what was left out.

::

    corpus = open_corpus(config, template)
    for lesson in corpus.train(): ...      # SourcedLesson, streamed from the sources
    corpus.report.dropped                  # reason -> how many proofs or steps were left out

Opening reads every record once, to split and to look for leaks; each stream reads them again.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from prover_core.data.leakage import LeakReport, find_leaks
from prover_core.data.splits import Split, part_of
from prover_core.errors import ConfigError, DataError
from prover_core.records import ProofRecord
from prover_core.types import Premise
from prover_models.lm.situation import Lesson, Situation, step_lessons, whole_lesson
from prover_models.lm.templates import Template
from prover_models.train.config import DataOptions, PromptOptions, TrainConfig
from prover_models.train.sources import ProofSource, open_sources

__all__ = ["Corpus", "CorpusReport", "Difficulty", "SourcedLesson", "open_corpus"]

_COPY = "its statement is held out for validation"
_UNFINISHED: Final = "the proof is not finished, or has no states"


class Difficulty(NamedTuple):
    """How hard an example may be, told without a model."""

    proof_length: int
    """Steps of the proof that are not structural."""
    steps_left: int
    """From this state to the end of the proof, this one included."""
    goal_size: int
    """Characters of the first goal."""
    hypotheses: int
    """Of the first goal."""
    goals: int


class SourcedLesson(NamedTuple):
    """A lesson and where it comes from."""

    lesson: Lesson
    part: int
    """Which of ``data.train``."""
    theorem: str
    """Id of the proof."""
    prover: str
    difficulty: Difficulty


@dataclass(slots=True)
class CorpusReport:
    """What was found, what is learnt, what was left out."""

    proofs: Counter[str] = field(default_factory=Counter)
    """``train``, ``val`` -> proofs."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Reason -> proofs or steps left out, of both."""
    leaks: dict[str, int] = field(default_factory=dict)
    """What is the same (``text``, ``shape``, ``proof``) -> proofs held out that have a copy in training."""
    leak_examples: list[tuple[str, str]] = field(default_factory=list)
    """(id held out, id of its copy), a few."""
    licences: tuple[str, ...] = ()
    projects: Counter[str] = field(default_factory=Counter)
    """Project -> proofs held out."""


class Corpus:
    """Proofs, split into what is learnt and what is held out. Each stream may be taken again and again."""

    def __init__(self, config: TrainConfig, template: Template, sources: _Sources) -> None:
        """Use :func:`open_corpus`."""
        self._config = config
        self._template = template
        self._sources = sources
        self._assignment: dict[str, str] = {}
        self._steps: Counter[str] = Counter()
        self.report = CorpusReport(licences=sources.licences)

    def train(self) -> Iterator[SourcedLesson]:
        """What is learnt, in the order of the sources; of ``data.limit``, a sample."""
        return self._sample("train", self._config.data.limit)

    def validation(self) -> Iterator[SourcedLesson]:
        """What is held out; of ``data.max_validation``, a sample."""
        return self._sample("val", self._config.data.max_validation)

    def proofs(self, part: str) -> Iterator[tuple[int, ProofRecord]]:
        """The records of ``train`` or ``val``, with the number of their source."""
        for index, record in self._sources.records():
            if self._assignment.get(_key(index, record)) == part:
                yield index, record

    def divide(self) -> None:
        """Decide where each proof goes, and look for leaks.

        :raises ConfigError: there are leaks, and ``data.leakage`` is ``error``.
        :raises DataError: there is nothing to learn from.
        """
        assigned = self._assigned()
        if self._config.data.leakage == "off":
            for _ in assigned:
                pass
        else:
            self._take_leaks(find_leaks(assigned, self._assignment))
        if not self._assignment:
            raise DataError(_nothing(self._sources, "holds no proofs"))
        self.report.proofs = Counter(self._assignment.values())
        if not self.report.proofs["train"]:
            raise DataError(_nothing(self._sources, "leaves no proof to learn from: all are held out"))

    def _assigned(self) -> Iterator[ProofRecord]:
        """All records, under ids that are unique over all sources; each is assigned before it is given."""
        data = self._config.data
        split = Split.load(data.split.expanduser()).assignment() if data.split is not None else None
        for index, record in self._sources.records():
            part, key = _part(index, record, self._sources, data, split), _key(index, record)
            if not part:
                self.report.dropped["not in the split's train or val"] += 1
                continue
            self._assignment[key] = part
            self._steps[part] += sum(not step.structural for step in record.steps)
            self.report.projects[record.project] += part == "val"
            yield record.model_copy(update={"id": key})

    def _take_leaks(self, found: LeakReport) -> None:
        leaks = {level: leaks for (_, level), leaks in found.leaks.items()}
        self.report.leaks = {level: len(leaks.ids) for level, leaks in leaks.items()}
        shape = leaks.get("shape")
        if shape is None or not shape.ids:
            return
        self.report.leak_examples = [(_id(mine), _id(theirs)) for mine, theirs in shape.examples]
        if self._config.data.leakage == "error":
            shown = "; ".join(f"{mine} is {theirs} in training" for mine, theirs in self.report.leak_examples)
            message = (
                f"{len(shape.ids)} statements held out for validation are in the training data as well: "
                f"{shown}. Set data.leakage=drop to leave the copies out of training, or split otherwise"
            )
            raise ConfigError([message])
        if self._config.data.leakage == "drop":
            for key in found.train_copies:
                self._assignment.pop(key, None)
            self.report.dropped[_COPY] += len(found.train_copies)

    def _sample(self, part: str, most: int | None) -> Iterator[SourcedLesson]:
        """About ``most`` lessons: each is drawn by a hash of its id, whatever the others are."""
        whole = self._template.task == "whole"
        there = sum(p == part for p in self._assignment.values()) if whole else self._steps[part]
        share = min(1.0, most / there) if most is not None and there else 1.0
        for lesson in self._lessons(part):
            if share == 1.0 or part_of(f"sample {lesson.lesson.id}", (1 - share, share, 0.0)) == "val":
                yield lesson

    def _lessons(self, part: str) -> Iterator[SourcedLesson]:
        make = _maker(self._config.prompt, self._template, self._sources)
        for index, record in self.proofs(part):
            length = sum(not step.structural for step in record.steps)
            lessons = list(make(index, record))
            if not lessons:
                self.report.dropped[_UNFINISHED] += 1
            for lesson in lessons:
                difficulty = _difficulty(lesson, length)
                yield SourcedLesson(lesson, index, record.id, record.prover, difficulty)


class _Sources:
    """All sources, those for validation after those for training."""

    def __init__(self, data: DataOptions) -> None:
        self.train = len(data.train)
        self.all: list[ProofSource] = open_sources([*data.train, *data.validation])
        self.licences = tuple(dict.fromkeys(name for source in self.all for name in source.licences))

    def records(self) -> Iterator[tuple[int, ProofRecord]]:
        for index, source in enumerate(self.all):
            for record in source.proofs():
                yield index, record


def open_corpus(config: TrainConfig, template: Template) -> Corpus:
    """Find the sources; :meth:`Corpus.divide` splits them and looks for leaks.

    :raises DataError: a source cannot be read.
    :raises ConfigError: a source is of no known kind.
    """
    mistakes = []
    if config.prompt.context and "context" in template.uses:
        without = [part.path for part in (*config.data.train, *config.data.validation) if part.root is None]
        mistakes += [
            f"prompt.context needs the folder that the files of {path} lie in: give that source a root"
            for path in without
        ]
    if mistakes:
        raise ConfigError(mistakes)
    return Corpus(config, template, _Sources(config.data))


def corpus_digest(corpus: Corpus) -> list[str]:
    """Of the content of all sources."""
    return [source.digest for source in corpus._sources.all]


def _key(index: int, record: ProofRecord) -> str:
    return f"{index}\0{record.id}"


def _id(key: str) -> str:
    return key.partition("\0")[2]


def _part(
    index: int, record: ProofRecord, sources: _Sources, data: DataOptions, split: dict[str, str] | None
) -> str:
    """``train``, ``val`` or nothing."""
    if index >= sources.train:
        return "val"
    if split is not None:
        found = split.get(record.id, "")
        return found if found in ("train", "val") else ""
    if sources.train < len(sources.all) or not data.share:
        return "train"
    held = {"theorem": record.id, "file": f"{record.project}\n{record.file}", "project": record.project}
    # Drawn apart from `prover data split`: else none of what that kept for training would ever be held out.
    return part_of(f"validation {held[data.by]}", (1 - data.share, data.share, 0.0))


def _maker(
    prompt: PromptOptions, template: Template, sources: _Sources
) -> Callable[[int, ProofRecord], Iterator[Lesson]]:
    """What makes lessons of a record."""
    from prover_models.train.premises import TrainingPremises

    given = (
        TrainingPremises(sources.all, prompt.premises)
        if prompt.premises and "premises" in template.uses
        else None
    )
    context = prompt.context and "context" in template.uses

    def steps(index: int, record: ProofRecord) -> Iterator[Lesson]:
        text = _text_before(sources.all[index].part.root, record) if context else ""
        asked: Callable[[ProofRecord, int], Sequence[Premise]] | None = None
        if given is not None:
            asked = functools.partial(given.before, index)
        yield from step_lessons(record, premises=asked, context=text)

    def whole(index: int, record: ProofRecord) -> Iterator[Lesson]:
        text = _text_before(sources.all[index].part.root, record) if context else ""
        premises = given.before(index, record, 0) if given is not None else ()
        lesson = whole_lesson(record, premises=premises, context=text, states=template.states)
        if lesson is not None:
            yield lesson

    return whole if template.task == "whole" else steps


def _difficulty(lesson: Lesson, length: int) -> Difficulty:
    situation: Situation = lesson.situation
    first = situation.goals[0]
    return Difficulty(
        proof_length=length,
        steps_left=max(1, length - len(situation.script)),
        goal_size=len(str(first)),
        hypotheses=sum(len(h.names) for h in first.hypotheses),
        goals=len(situation.goals),
    )


def _text_before(root: Path | None, record: ProofRecord) -> str:
    if root is None or record.position is None:
        return ""
    path = root.expanduser() / record.file
    try:
        return _file_text(path)[: record.position.start]
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read {path}, whose text before {record.name} the prompt is to show: {error}"
        raise DataError(message) from error


@functools.lru_cache(maxsize=8)
def _file_text(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def _nothing(sources: _Sources, what: str) -> str:
    names = ", ".join(source.part.path for source in sources.all[: sources.train])
    provers = {source.part.prover for source in sources.all if source.part.prover}
    only = f" (only proofs of {', '.join(sorted(provers))} are taken)" if provers else ""
    return f"the training data ({names}){only} {what}; `prover data stats DIR` shows what is in a dataset"
