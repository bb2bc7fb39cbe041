"""Many seeds of one page, on all cores: how often it held, and how it did not.

Law: what comes back is plain data, the same for the same seeds, however many cores there are. The first seed that fails
is made short, and told with one command that shows it again.
"""

import math
import multiprocessing
import os
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

import attrs

from lifecycle.testing.schedule import Fault

from .certified import Certified
from .entries import Entry, generate, kept
from .life import run_seed
from .result import Result, Violation
from .scene import Scene, scene_of
from .shrink import shortest

Done = Callable[[int], None]
"""Told how many more seeds are done."""
_MOST_CHUNK = 25
_FEW = 4


@attrs.frozen(kw_only=True)
class Failure:
    """A seed that fails.

    Attributes:
        seed: which one.
        violation: what did not hold, in the shortest schedule.
        entries: that schedule, a line each.
        whole: how many entries the schedule of the seed has.
        command: shows it again.
    """

    seed: int
    violation: Violation
    entries: tuple[str, ...]
    whole: int
    command: str


@attrs.frozen(kw_only=True)
class Simulated:
    """What came of one page.

    Attributes:
        page: its name.
        seeds: how many were run.
        failed: those that failed, the first first.
        failure: the first of them, told.
        lived: seconds by the clocks of the runs.
        worked: seconds of real time, of all cores together.
        counts: how much of everything there was.
        digest: the same for two simulations that went alike.
        notes: what was simulated otherwise than it is.
    """

    page: str
    seeds: int
    failed: tuple[int, ...]
    failure: Failure | None
    lived: float
    worked: float
    counts: dict[str, int]
    digest: int
    notes: tuple[str, ...]


@attrs.frozen
class _Chunk:
    results: tuple[Result, ...]
    worked: float


_scene: Scene | None = None
"""In a worker: the page, made ready once."""


def simulate_page(
    page: str,
    seeds: Sequence[int],
    *,
    hours: float = 1.0,
    faults: Iterable[Fault] = (),
    faults_file: str = "",
    workers: int | None = None,
    done: Done | None = None,
) -> Simulated:
    """Run seeds of a page.

    Args:
        page: a bundled name, or a path.
        seeds: which ones.
        hours: of each.
        faults: happen in each, besides those that the seed makes up.
        faults_file: where they are from, for the command that shows a failure again.
        workers: how many processes; by default one for each core.
        done: is told how many seeds are done.

    Raises:
        PageError: the page is wrong.
        NotRunnable: it is a fragment.
        LifecycleError: this version of trio cannot be seeded.
    """
    scene, faults = scene_of(page), tuple(faults)
    results, worked = list[Result](), 0.0
    for chunk in _chunks(page, scene, seeds, hours=hours, faults=faults, workers=workers or os.cpu_count() or 1):
        results += chunk.results
        worked += chunk.worked
        if done is not None:
            done(len(chunk.results))
    results.sort(key=lambda result: result.seed)
    counts: Counter[str] = Counter()
    for result in results:
        counts.update(result.counts)
    failed = [result for result in results if result.violation is not None]
    return Simulated(
        page=scene.page.name,
        seeds=len(results),
        failed=tuple(result.seed for result in failed),
        failure=_told(page, scene, failed[0], hours=hours, faults=faults, faults_file=faults_file) if failed else None,
        lived=math.fsum(result.seconds for result in results),
        worked=worked,
        counts=dict(sorted(counts.items())),
        digest=hash(tuple(result.digest for result in results)),
        notes=scene.notes,
    )


def _chunks(
    page: str, scene: Scene, seeds: Sequence[int], *, hours: float, faults: tuple[Fault, ...], workers: int
) -> Iterator[_Chunk]:
    if workers < 2 or len(seeds) < _FEW:  # noqa: PLR2004 -- one process needs no other
        _begin(page, scene.certified, scene)
        yield from (_run((seed,), hours, faults) for seed in seeds)
        return
    size = max(1, min(_MOST_CHUNK, len(seeds) // (workers * _FEW)))
    parts = [tuple(seeds[start : start + size]) for start in range(0, len(seeds), size)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(parts)), context, _begin, (page, scene.certified)) as pool:
        futures = [pool.submit(_run, part, hours, faults) for part in parts]
        try:
            yield from (future.result() for future in as_completed(futures))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin(page: str, certified: Certified, scene: Scene | None = None) -> None:
    global _scene  # noqa: PLW0603 -- the one thing that a worker is given once
    _scene = scene if scene is not None else scene_of(page, certified)


def _run(seeds: Sequence[int], hours: float, faults: tuple[Fault, ...]) -> _Chunk:
    scene, began = _scene, time.process_time()
    if scene is None:
        raise RuntimeError("this worker was not begun")
    results = tuple(run_seed(scene, seed, generate(scene.page, seed, hours, faults), hours) for seed in seeds)
    return _Chunk(results, time.process_time() - began)


def _told(
    page: str, scene: Scene, failed: Result, *, hours: float, faults: tuple[Fault, ...], faults_file: str
) -> Failure:
    entries = generate(scene.page, failed.seed, hours, faults)
    numbers, violation = shortest(scene, failed, entries, hours)
    return Failure(
        seed=failed.seed,
        violation=violation,
        entries=said(kept(entries, numbers)),
        whole=len(entries),
        command=command(page, failed.seed, hours, numbers, faults_file),
    )


def said(entries: Iterable[Entry]) -> tuple[str, ...]:
    """A schedule, a line each."""
    return tuple(map(str, entries))


def command(page: str, seed: int, hours: float, only: Sequence[int], faults_file: str = "") -> str:
    """The command that runs one schedule again."""
    words = ["lifecycle", "simulate", page, "--seed", str(seed), "--hours", f"{hours:g}"]
    words += ["--faults", faults_file] if faults_file else []
    return shlex.join([*words, "--only", ",".join(map(str, only)) or "none"])


def run_one(
    page: str, seed: int, *, hours: float, faults: Iterable[Fault] = (), only: Sequence[int] | None = None
) -> tuple[Result, tuple[Entry, ...]]:
    """Run one seed, or a part of its schedule.

    Returns:
        What came of it, and the schedule that it was.

    Raises:
        ValueError: there is no such entry.
        PageError, NotRunnable, LifecycleError: as `simulate_page`.
    """
    scene = scene_of(page)
    whole = generate(scene.page, seed, hours, tuple(faults))
    if only and max(only) >= len(whole):
        raise ValueError(f"the schedule of seed {seed} has {len(whole)} entries, so there is no number {max(only)}")
    entries = tuple(kept(whole, only))
    return run_seed(scene, seed, entries, hours), entries
