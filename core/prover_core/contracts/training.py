"""The contract of a trainer: what turns data into an artifact."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Artifact", "Trainer", "TrainingData"]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Files to learn from, by split."""

    train: tuple[Path, ...]
    validation: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Artifact:
    """What training leaves: a folder, and the numbers that describe it."""

    path: Path
    metrics: Mapping[str, float] = field(default_factory=dict)


class Trainer(ABC):
    """Trains a model."""

    @abstractmethod
    def fit(self, data: TrainingData, out: Path, *, resume: bool = False) -> Artifact:
        """Train, leaving checkpoints and the result under ``out``."""
