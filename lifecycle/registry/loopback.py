"""Which addresses are this machine's own.

Law: a name that nobody has looked up is believed only if it is `localhost`.
"""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own, and no other can reach it."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
