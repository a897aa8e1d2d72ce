"""The benchmark of the hour of peak: its clock, its verdicts, its light client, and how it reads metrics."""

import asyncio
from collections.abc import Sequence
from itertools import count

import msgspec
import pytest

from benchmarks.calls import Calls
from benchmarks.ending import exit_code
from benchmarks.offered import BOUNDS, Sample, Verdict, due, due_by, highest, judge
from benchmarks.peak import HANDED_OVER, Report, Step, limit_of
from benchmarks.peak_network import read_figures


def test_lives_are_due_at_their_instants_whoever_keeps_up() -> None:
    """Given ten a second, then number 25 is due after 2.5 s, and whoever was away for a minute has 601 to begin."""
    assert due(100.0, 10.0, 25) == 102.5
    assert [due_by(100.0, 10.0, at) for at in (99.9, 100.0, 100.09, 100.125, 160.0)] == [0, 1, 1, 2, 601]
    assert all(due(0.0, 7.0, due_by(0.0, 7.0, now / 10) - 1) <= now / 10 + 1e-9 for now in range(1, 50))


def looks(piles: Sequence[float], *, name: str = "oldest task, s", per_s: int = 100) -> list[Sample]:
    """A look a second, with this pile."""
    return [Sample(float(at), at * per_s, {name: pile}) for at, pile in enumerate(piles)]


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (looks([99.0] * 10 + [0.5] * 20), ""),
        (looks([2.0, 3.0] * 15), ""),
        (looks([11.0] * 30), "oldest task, s: 11.0, bound 10"),
        (looks([at / 5 for at in range(30)]), "oldest task, s: still growing"),
        (looks([0.0] * 30, per_s=90), "accepted 90.0 a second of 100.0"),
        (looks([0.0] * 30, per_s=97), ""),
        (looks([0.0] * 12), "too few looks"),
    ],
)
def test_a_rate_is_sustained_when_nothing_piles_up(samples: list[Sample], reason: str) -> None:
    """Given piles after the warm-up that stay low it is sustained; high ones, growing ones and a shortfall are not."""
    verdict = judge(samples, 100.0, warm_s=10.0)
    assert verdict.is_sustained == (not reason)
    assert "".join(verdict.reasons).startswith(reason)


@pytest.mark.parametrize("name", BOUNDS)
def test_every_pile_can_end_it(name: str) -> None:
    """Given any pile above its bound, then the rate was not sustained."""
    assert not judge(looks([BOUNDS[name] * 1.01] * 30, name=name), 100.0, warm_s=0.0).is_sustained


def test_the_highest_share_has_none_below_it_that_failed() -> None:
    """Given a rate that failed, then a higher one that passed by chance does not count."""
    yes, no = (), ("late",)
    assert highest([Verdict(10, 10, yes), Verdict(30, 30, yes), Verdict(20, 20, no)]) == 10
    assert highest([Verdict(10, 10, no)]) == 0.0
    assert highest([Verdict(10, 10, yes)]) == 10


def a_step(reasons: tuple[str, ...]) -> Step:
    """A share that was offered."""
    verdict = Verdict(100.0, 90.0, reasons)
    cores = {"hub": 0.5, "worker": 1.25, "PostgreSQL": 0.2, "load": 0.05}
    return Step(0.1, 60.0, verdict, {}, cores, {}, {}, 10.0)


def test_the_report_names_what_gave_way() -> None:
    """Given a share that was not sustained, then the first pile and the busiest program are named; else nothing is."""
    assert limit_of(a_step(("oldest task, s: 30",))).startswith(
        "oldest task, s: 30; cores in use: worker 1.25, hub 0.50"
    )
    assert limit_of(a_step(())) == ""


@pytest.mark.parametrize(("wrong", "missed", "code"), [((), (), 0), (("lost",), (), 1), ((), ("none",), 1)])
def test_lost_work_fails_the_run(wrong: tuple[str, ...], missed: tuple[str, ...], code: int) -> None:
    """Given something that went wrong, or not even the first share sustained, then the run fails."""
    report = Report(16_384, 8, (a_step(()),), 100.0, "", 10, 10, wrong, missed)
    assert exit_code(report, floors=True) == code
    assert msgspec.json.decode(msgspec.json.encode(report))["steps"][0]["share"] == 0.1


def test_metrics_are_summed_and_ages_are_the_worst() -> None:
    """Given metrics as Prometheus reads them, then counts are summed over labels, and the oldest task is the oldest."""
    told = read_figures(
        "# HELP restante_queue_commands x\n"
        'restante_queue_commands{lane="0"} 3.0\nrestante_queue_commands{lane="1"} 4.0\n'
        'restante_outbox_oldest_seconds{kind="a"} 2.5\nrestante_outbox_oldest_seconds{kind="b"} 9.5e+00\n'
        'restante_notices_total{channel="email",outcome="handed-over"} 7.0\nrestante_pool_waiting 1\n'
    )
    assert (told["restante_queue_commands"], told["restante_outbox_oldest_seconds"]) == (7.0, 9.5)
    assert told["restante_pool_waiting"] == 1.0
    assert [value for name, value in told.items() if HANDED_OVER.fullmatch(name)] == [7.0]


async def test_a_line_that_was_closed_meanwhile_is_opened_anew() -> None:
    """Given a server that closes each line after one answer, then the next request is answered all the same; and one
    that answers nobody is a fault.
    """
    answered = count(1)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if (number := next(answered)) < 4:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        calls = Calls(f"http://127.0.0.1:{port}", "key", connections=1)
        assert [await calls.ask("GET", "/v1/feed") for _ in range(3)] == [(200, b"1"), (200, b"2"), (200, b"3")]
        with pytest.raises(EOFError, match="was not answered"):
            await calls.ask("GET", "/v1/feed")
