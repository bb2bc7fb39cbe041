"""Proofs of many pages: one process a page, with a line that shows how far they are.

Law: what comes back is plain data, in the order in which it was asked for. A page that is wrong, one
that breaks a law, and one that is too large are told apart.
"""

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from queue import Empty
from typing import TYPE_CHECKING, Any

import attrs
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lifecycle.definition.definition import Definition
from lifecycle.definition.problem import Problem
from lifecycle.definition.read import read
from lifecycle.errors import PageError

if TYPE_CHECKING:
    from lifecycle.proof.report import Report

_LOOK_EVERY = 0.1


@attrs.frozen
class Outcome:
    """What came of one page.

    Attributes:
        name: as it was asked for.
        definition: the page, if it is one.
        problems: why it is none.
        report: what was proven, or how a law is broken.
        too_large: why nothing could be proven.
    """

    name: str
    definition: Definition | None = None
    problems: tuple[Problem, ...] = ()
    report: "Report | None" = None
    too_large: str = ""


_told: Any = None
"""In a worker: where its progress goes."""


def prove_all(names: Sequence[str], given: Mapping[str, Any] | None = None) -> list[Outcome]:
    """Read and prove pages, side by side; says on stderr how much was explored, and how fast."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"proving {len(names)} pages", total=len(names), rate="")
        outcomes = list(_outcomes(names, given or {}, progress, task))
        seconds = progress.tasks[0].elapsed or 0.0
    nodes = sum(one.report.nodes for one in outcomes if one.report)
    edges = sum(one.report.edges for one in outcomes if one.report)
    if nodes:
        rate = f", {nodes / seconds:,.0f} states/s" if seconds else ""
        console.print(
            f"explored {nodes:,} states, {edges:,} transitions in {seconds:.1f} s{rate}",
            highlight=False,
            soft_wrap=True,
        )
    return outcomes


def _outcomes(names: Sequence[str], given: Mapping[str, Any], progress: Progress, task: Any) -> Iterator[Outcome]:
    workers = min(len(names), os.cpu_count() or 1)
    if workers < 2:  # noqa: PLR2004 -- one process needs no other
        _begin(_Here(progress, task))
        yield from (_prove(name, dict(given)) for name in names)
        return
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    with ProcessPoolExecutor(workers, context, _begin, (told,)) as pool:
        futures = [pool.submit(_prove, name, dict(given)) for name in names]
        try:
            _watch(futures, told, progress, task)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        yield from (future.result() for future in futures)


@attrs.define
class _Here:
    """What a worker tells its progress to, when there is no other process."""

    progress: Progress
    task: Any
    known: int = 0

    def put(self, told: tuple[int, int]) -> None:
        self.known += told[1]
        _show(self.progress, self.task, self.known)


def _show(progress: Progress, task: Any, known: int, pages: int = 0) -> None:
    rate = f"{known:,} states, {known / (progress.tasks[0].elapsed or 1.0):,.0f}/s"
    progress.update(task, completed=pages, rate=rate)


def _watch(futures: "list[Future[Outcome]]", told: Any, progress: Progress, task: Any) -> None:
    known: dict[int, int] = {}
    while not all(future.done() for future in futures):
        try:
            worker, done = told.get(timeout=_LOOK_EVERY)
            known[worker] = known.get(worker, 0) + done
        except Empty:
            pass
        _show(progress, task, sum(known.values()), sum(future.done() for future in futures))


def _begin(told: Any) -> None:
    global _told  # noqa: PLW0603 -- the one thing that a worker is given once
    _told = told


def _prove(name: str, given: dict[str, Any]) -> Outcome:
    from lifecycle.proof.explore import TooManyStates
    from lifecycle.proof.prove import prove
    from lifecycle.proof.report import report

    seen = 0

    def progress(_: int, done: int) -> None:
        nonlocal seen
        if _told is not None:
            _told.put((os.getpid(), max(0, done - seen)))
        seen = 0 if done < seen else done

    definition = None
    try:
        definition = read(name)
        return Outcome(name, definition, report=report(prove(definition, given, progress=progress)))
    except PageError as error:
        return Outcome(name, problems=error.problems)
    except TooManyStates as error:
        return Outcome(name, definition, too_large=str(error))
