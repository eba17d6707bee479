"""The abstract classes that plugins implement."""

from prover_core.contracts.data import DataSource, SourceDescription
from prover_core.contracts.environment import ProofEnvironment, ProofSession
from prover_core.contracts.extraction import (
    DataFormat,
    Drop,
    ExtractionReport,
    Extractor,
    ReadProblem,
    Retriever,
    WriteReport,
)
from prover_core.contracts.options import ComponentOptions
from prover_core.contracts.policy import (
    Draft,
    Policy,
    PolicyRequest,
    Portfolio,
    Proposer,
    Usage,
    Value,
    WholeProofPolicy,
)
from prover_core.contracts.repair import FailedStep, FailureClass, RepairKit
from prover_core.contracts.search import (
    Search,
    SearchObserver,
    SearchResult,
    SearchStatus,
    StateScorer,
    StepEvent,
    Suggest,
)
from prover_core.contracts.training import Artifact, Trainer, TrainingData

__all__ = [
    "Artifact",
    "ComponentOptions",
    "DataFormat",
    "DataSource",
    "Draft",
    "Drop",
    "ExtractionReport",
    "Extractor",
    "FailedStep",
    "FailureClass",
    "Policy",
    "PolicyRequest",
    "Portfolio",
    "ProofEnvironment",
    "ProofSession",
    "Proposer",
    "ReadProblem",
    "RepairKit",
    "Retriever",
    "Search",
    "SearchObserver",
    "SearchResult",
    "SearchStatus",
    "SourceDescription",
    "StateScorer",
    "StepEvent",
    "Suggest",
    "Trainer",
    "TrainingData",
    "Usage",
    "Value",
    "WholeProofPolicy",
    "WriteReport",
]
