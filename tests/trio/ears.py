"""A page full of secrets, and ears that hear all that is shown: logs, reprs, sentences, traces, tracebacks."""

import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

import attrs
import pytest

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.machine import effects as do
from lifecycle.trio import console
from lifecycle.trio.connection import Connection

from .peer import PAGE, URL, Peer

PASSWORD, RESULT, BUILT_IN, ASKED, QUERY = "pw-5b1e07c2", "rs-9d40aa61", "bi-c3f7e815", "as-27be9f04", "qu-e86d13fa"
SECRETS = (PASSWORD, RESULT, BUILT_IN, ASKED, QUERY)
"""The parameter, a call's result, the page's default, what a request asks for, and what stands in a URL."""
HUSH = (
    PAGE.replace(
        "parameters:\n",
        f"parameters:\n  password: {{secret: required}}\n  spare:    {{secret: {BUILT_IN}}}\n",
    )
    .replace("hears: {connect", "dial: {headers: {Authorization: =password}, query: {key: =password}}\nhears: {connect")
    .replace("takes: {challenge: object}", "takes: {challenge: object, password: secret}")
    .replace("{sign: {challenge: =challenge}}", "{sign: {challenge: =challenge, password: =password}}")
    .replace("hello:   =frame", "hello:   {t: hello, frame: =frame, token: =token, password: =password, spare: =spare}")
    .replace("params: =params}", "params: =params, token: =token, password: =password}")
)
"""The page with a call, with secrets in a header, in the query, in frames, and in what the call takes and returns."""
Do = Callable[[str], Any]


class Signer:
    """The call of the page."""

    def __init__(self, *do: Do) -> None:
        self._do = list(do)

    async def sign(self, *, challenge: dict[str, Any], password: str) -> Any:
        """Sign, or do what was asked for first."""
        if self._do:
            return self._do.pop(0)(password)
        return {"frame": {"signed": challenge["nonce"]}, "token": RESULT}


@attrs.define
class Eavesdropper:
    """Hears all that is shown.

    Attributes:
        texts: by where they were shown.
        effects: what machines have asked for.
    """

    caplog: pytest.LogCaptureFixture
    texts: dict[str, str] = attrs.field(factory=dict)
    effects: list[do.Effect] = attrs.field(factory=list)

    def shown(self, **things: object) -> None:
        """Look at things."""
        for name, thing in things.items():
            self.texts[f"{name} {len(self.texts)}"] = f"{thing!r}\n{thing!s}"

    def raised(self, error: BaseException | None) -> None:
        """Look at an error, at what it holds, and at its traceback with all that led to it."""
        assert error is not None
        self.shown(error=error, args=error.args, attributes=vars(error))
        self.texts[f"traceback {len(self.texts)}"] = "".join(traceback.format_exception(error))

    def connection(self, connection: Connection) -> None:
        """Look at a connection, through all that it shows and at all that it is made of."""
        driver = connection._driver
        for thing in (
            connection,
            driver,
            driver.machine,
            driver.mail,
            driver.timers,
            driver.calls,
            connection._account,
        ):
            self.shown(made_of=thing)
        self.shown(
            history=connection.history,
            why=connection.why,
            counters=connection.counters,
            variables=connection.variables,
            parameters=[value for value in driver.machine.parameters if not str(value).startswith("ws:")],
            causes=driver.causes,
            trace=[json.dumps(console._row(step)) for step in connection.history],
            emitted=[step.emitted for step in connection.history],
            paths=list(driver.machine.trace),
            definition=connection.definition,
            requests=list(driver.mail.requests.pending.values()),
            waiting=list(driver.mail.outbox.waiting),
            epoch=driver.current,
            transport=driver.mail.transport,
        )

    def leaks(self) -> list[str]:
        """Where something was shown, or logged, that must not be."""
        self.shown(effects=self.effects)
        style = logging.Formatter("%(name)s %(levelname)s %(message)s")
        for record in self.caplog.records:
            self.texts[f"log of {record.name} {len(self.texts)}"] = f"{style.format(record)}\n{record.args!r}"
        return [f"{where}: {text}" for where, text in self.texts.items() if any(secret in text for secret in SECRETS)]

    @property
    def loggers(self) -> set[str]:
        """Who has logged something."""
        return {record.name for record in self.caplog.records}


def hush(peer: Peer, *do: Do, **settings: Any) -> Connection:
    """The page, with its password, dialling the peer."""
    given = {"url": f"{URL}?secret={QUERY}", "password": PASSWORD, "seed": 1, **settings}
    return lifecycle.open(read_text(HUSH), calls=Signer(*do), transport=peer, **given)
