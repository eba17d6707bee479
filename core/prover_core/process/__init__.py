"""Child processes: the one place where a prover process is started, talked to, limited and ended."""

from prover_core.process.child import ChildProcess
from prover_core.process.guardian import guardian_pid
from prover_core.process.limits import descendants, resident_mb
from prover_core.process.pool import PooledWorker, WorkerPool
from prover_core.process.run import CommandResult, run_command
from prover_core.process.sandbox import Sandbox, sandbox_available

__all__ = [
    "ChildProcess",
    "CommandResult",
    "PooledWorker",
    "Sandbox",
    "WorkerPool",
    "descendants",
    "guardian_pid",
    "resident_mb",
    "run_command",
    "sandbox_available",
]
