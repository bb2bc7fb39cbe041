"""How a connection to a gateway is, at a moment."""

import attrs


@attrs.frozen(kw_only=True)
class Info:
    """How it is; times are trio's clock, in seconds.

    Attributes:
        connected: whether there is a transport.
        ready: whether the gateway has accepted this client, and takes requests.
        status: one of the nine statuses.
        why: what went wrong since the last ready, in words, and the seconds until the next try.
        next_try: seconds until the next try; None where there is none to wait for.
        attempts: failed attempts in a row.
        dials: how often was dialled.
        last_connected: when it last became ready; None before the first.
        last_message: when the last event or tick came; None before the first.
        missed_heartbeats: whole intervals in which the gateway's tick did not come.
        server_version: the gateway's; None if it has not said.
        protocol: of the connection; None before the first hello.
    """

    connected: bool
    ready: bool
    status: str
    why: str
    next_try: float | None
    attempts: int
    dials: int
    last_connected: float | None
    last_message: float | None
    missed_heartbeats: int
    server_version: str | None
    protocol: int | None
