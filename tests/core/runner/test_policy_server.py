"""One policy, many workers: batches, isolation of failures, the end of the run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from prover_core.contracts import Policy, PolicyRequest
from prover_core.errors import PolicyFailedError
from prover_core.runner.control import AbandonedError
from prover_core.runner.policy_server import PolicyServer
from prover_core.types import Goals, ProofState, Suggestion, Theorem


class Echo(Policy):
    """Suggests the theorem's name; remembers the batches; does what it is told with some names."""

    def __init__(self, batch_size: int = 32, seconds: float = 0.0) -> None:
        self.batch_size = batch_size
        self.seconds = seconds
        self.batches: list[int] = []
        self.threads: set[int] = set()
        self.answer: Callable[[Sequence[PolicyRequest]], object] = lambda requests: [
            [Suggestion(request.theorem.name)] for request in requests
        ]

    def suggest(self, requests: Sequence[PolicyRequest], k: int) -> list[list[Suggestion]]:
        self.batches.append(len(requests))
        self.threads.add(threading.get_ident())
        time.sleep(self.seconds)
        if any(request.theorem.name == "poison" for request in requests):
            message = "CUDA out of memory"
            raise RuntimeError(message)
        return self.answer(requests)  # type: ignore[return-value]


def request(name: str) -> PolicyRequest:
    return PolicyRequest(Theorem(name, name, "fake", "s"), ProofState(None, 0, Goals()))


@pytest.fixture
def serve() -> Iterator[Callable[..., PolicyServer]]:
    servers = []

    def make(policy: Policy, workers: int = 8, window_s: float = 0.002) -> PolicyServer:
        server = PolicyServer(policy, suggestions=4, workers=workers, window_s=window_s)
        servers.append(server)
        server.start()
        return server

    yield make
    assert all(server.close() for server in servers)


def ask_all(server: PolicyServer, names: Sequence[str]) -> list[str | Exception]:
    """Ask from a thread each, all at once; the tactic or the error each of them got."""
    gate = threading.Barrier(len(names))

    def one(name: str) -> str | Exception:
        with server.busy():
            gate.wait()
            try:
                return server.ask([request(name)])[0][0].tactic
            except (PolicyFailedError, AbandonedError) as error:
                return error

    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(one, names))


def test_everyone_gets_their_own_answer_in_batches(serve) -> None:
    policy = Echo(seconds=0.01)
    server = serve(policy)
    for _ in range(5):
        names = [f"t{i}" for i in range(8)]
        assert ask_all(server, names) == names
    assert max(policy.batches) == 8 == server.largest_batch
    assert sum(policy.batches) == 40 == server.states and server.calls == len(policy.batches) < 15
    assert len(policy.threads) == 1
    assert server.seconds >= 0.01 * server.calls


def test_no_batch_is_larger_than_the_policy_wants(serve) -> None:
    policy = Echo(batch_size=3, seconds=0.005)
    server = serve(policy)
    assert ask_all(server, list("abcdefgh")) == list("abcdefgh")
    assert max(policy.batches) <= 3
    many = [request(str(i)) for i in range(10)]  # one worker's question may be larger than a batch
    assert [row[0].tactic for row in server.ask(many)] == [str(i) for i in range(10)]
    assert max(policy.batches) <= 3


def test_one_worker_has_no_thread_and_no_wait(serve) -> None:
    policy = Echo()
    server = serve(policy, workers=1, window_s=10.0)
    assert server.ask([request("a")])[0][0].tactic == "a"
    assert policy.threads == {threading.get_ident()}
    assert server.ask([]) == [] and policy.batches == [1]


def test_the_window_is_not_waited_out_when_every_busy_worker_waits(serve) -> None:
    server = serve(Echo(), window_s=30.0)
    began = time.monotonic()
    assert ask_all(server, list("abcd")) == list("abcd")
    assert time.monotonic() - began < 5


def test_the_window_ends_when_a_busy_worker_does_not_ask(serve) -> None:
    server = serve(Echo(), window_s=0.05)
    with server.busy(), server.busy():
        began = time.monotonic()
        server.ask([request("a")])
        assert 0.04 < time.monotonic() - began < 2


def test_a_worker_that_stops_searching_releases_the_window(serve) -> None:
    server = serve(Echo(), window_s=30.0)
    other = server.busy()
    other.__enter__()
    threading.Timer(0.1, lambda: other.__exit__(None, None, None)).start()
    with server.busy():
        began = time.monotonic()
        server.ask([request("a")])
        assert time.monotonic() - began < 5


def test_a_policy_that_raises_fails_only_who_asked_for_it(serve) -> None:
    server = serve(Echo(seconds=0.01))
    for _ in range(3):
        a, poison, b = ask_all(server, ["a", "poison", "b"])
        assert (a, b) == ("a", "b")
        assert isinstance(poison, PolicyFailedError)
        assert "policy Echo raised RuntimeError: CUDA out of memory" in str(poison)
    assert ask_all(server, ["c"]) == ["c"]  # and the thread is well


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "a NoneType instead of a list of lists"),
        ([], "0 lists for 1 requests"),
        ([[], []], "2 lists for 1 requests"),
        (["auto"], "a str instead of a list of suggestions"),
        ([["auto"]], "a str instead of a Suggestion"),
        ([[Suggestion("a")] * 5], "5 suggestions where at most 4"),
        ([[Suggestion("a", float("nan"))]], "which is not a float"),
        ([[Suggestion("a", 0.5)]], "which is above 0"),
        ([[Suggestion(b"a")]], "a tactic that is a bytes"),  # type: ignore[arg-type]
        ([[Suggestion("a", None)]], "log-probability None"),  # type: ignore[arg-type]
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_wrong_shape_is_named(serve, answer: object, problem: str, workers: int) -> None:
    policy = Echo()
    policy.answer = lambda requests: answer
    with pytest.raises(PolicyFailedError, match=f"policy Echo answered in the wrong shape: .*{problem}"):
        serve(policy, workers=workers).ask([request("a")])


def test_what_is_right_passes(serve) -> None:
    policy = Echo()
    policy.answer = lambda requests: ([Suggestion("a", -float("inf")), Suggestion("b", 1e-9)],)
    assert [s.tactic for s in serve(policy).ask([request("a")])[0]] == ["a", "b"]


def test_a_policy_that_ends_the_interpreter_does_not(serve) -> None:
    policy = Echo()
    policy.answer = lambda requests: exec("raise SystemExit(3)")
    with pytest.raises(PolicyFailedError, match="raised SystemExit: 3"):
        serve(policy).ask([request("a")])


def test_abort_frees_everyone_who_waits(serve) -> None:
    release = threading.Event()
    policy = Echo()
    policy.answer = lambda requests: (release.wait(20), [[] for _ in requests])[1]
    server = serve(policy)
    threading.Timer(0.2, server.abort).start()
    began = time.monotonic()
    answers = ask_all(server, list("abcdef"))
    assert time.monotonic() - began < 5
    assert all(isinstance(answer, AbandonedError) for answer in answers)
    with pytest.raises(AbandonedError):
        server.ask([request("late")])
    assert server.close(0.05) is False  # the policy still hangs in its call
    release.set()
