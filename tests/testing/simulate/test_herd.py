"""A herd without jitter dials in lockstep, and with the page's it does not."""

from xml.etree import ElementTree as ET

import pytest

from lifecycle.errors import LifecycleError
from lifecycle.testing.simulate import watch_herds
from lifecycle.testing.simulate.herd import Herd, plot, table

CLIENTS = 60
Herds = tuple[Herd, Herd]


@pytest.fixture(scope="module")
def herds() -> Herds:
    """With the page's jitter, and without."""
    return watch_herds("websocket", CLIENTS)


def test_jitter_spreads_the_dials(herds: Herds) -> None:
    """The server is back, and is dialled by half as many a second at most."""
    with_jitter, without = herds
    assert (with_jitter.jitter, without.jitter) == (True, False)
    assert with_jitter.peak <= without.peak / 2
    assert with_jitter.ready is not None
    assert without.ready is None or without.ready > with_jitter.ready


def test_a_herd_is_decided_by_its_seed() -> None:
    """As everything here."""
    assert watch_herds("websocket", 10, seed=2) == watch_herds("websocket", 10, seed=2)


def test_the_plot_is_an_image(herds: Herds) -> None:
    """One bar for each second in which somebody dialled, and both panels on one scale."""
    image = ET.fromstring(plot("websocket", CLIENTS, herds))  # noqa: S314 -- it is ours
    bars = image.findall("{http://www.w3.org/2000/svg}rect")
    assert len(bars) - 1 == sum(sum(map(bool, each.dials)) for each in herds)
    words = [element.text for element in image.iter("{http://www.w3.org/2000/svg}text")]
    assert words[0] == "websocket: 60 clients dial a server that was gone for 20 s"


def test_the_table_counts_all(herds: Herds) -> None:
    """The sums of its columns are the dials."""
    rows = [line.split() for line in table(herds).splitlines()[1:-1]]
    assert sum(int(row[1]) for row in rows) == sum(herds[0].dials)
    assert sum(int(row[3]) for row in rows) == sum(herds[1].dials)


def test_who_does_not_dial_is_no_herd() -> None:
    """It says so."""
    with pytest.raises(LifecycleError, match="websocket-server: no parameter of it is a backoff"):
        watch_herds("websocket-server", 2)
