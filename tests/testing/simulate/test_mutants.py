"""The simulation can fail: ten mistakes in the driver are found, and the driver as it is passes where they were."""

import functools

import attrs
import pytest

from lifecycle.testing.simulate import Result, Scene, generate, run_seed, scene_of
from lifecycle.testing.simulate.certified import Certified

from .mutants import MORE, MUTANTS, Mutant

HOURS = 0.1
SEEDS = range(1, 201)
MORE_SEEDS = range(1, 1001)


@functools.cache
def scene(page: str) -> Scene:
    """A page, made ready once."""
    return scene_of(page)


def lived(page: str, seed: int) -> Result:
    """One seed."""
    made = scene(page)
    return run_seed(made, seed, generate(made.page, seed, HOURS), HOURS)


@pytest.mark.parametrize("mutant", [*MUTANTS.values(), *MORE.values()], ids=[*MUTANTS, *MORE])
def test_a_mutant_is_found(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ten within 200 seeds, more within 1000, by an invariant that is about it; without it that seed breaks nothing."""
    with monkeypatch.context() as patch:
        mutant.make(patch)
        results = (lived(mutant.page, seed) for seed in (SEEDS if mutant in MUTANTS.values() else MORE_SEEDS))
        found = next((result for result in results if result.violation is not None), None)
    assert found is not None
    assert found.violation is not None
    assert found.violation.invariant in mutant.noticed, found.violation
    assert lived(mutant.page, found.seed).violation is None


@pytest.mark.parametrize(
    ("certified", "invariant"),
    [
        (Certified(dials=5), "dial rate"),
        (Certified(recovery=0.1), "ready again"),
        (Certified(half_open=10), "silence"),
    ],
)
def test_a_certificate_that_promises_too_much_is_seen(certified: Certified, invariant: str) -> None:
    """The bounds are looked at: tighter ones do not hold."""
    made = attrs.evolve(scene("websocket"), certified=certified)
    results = (run_seed(made, seed, generate(made.page, seed, HOURS), HOURS) for seed in SEEDS)
    found = next(result.violation for result in results if result.violation is not None)
    assert found.invariant == invariant
