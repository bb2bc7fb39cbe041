"""What may not stand in the URL of a WebSocket, though it may in others.

Law: pure. What is found is said without the URL, which may hold secrets.
"""

import re

_WHITE = re.compile(r"[\x00-\x20\x7f]")


def forbidden(url: str) -> str:
    """Say what a URL holds that it must not (RFC 6455 3, RFC 3986 3.2.1); empty if nothing.

    Args:
        url: `ws://` or `wss://`.
    """
    if _WHITE.search(url):
        return "the url holds a space or a control character; write it as %20 and the like"
    if "#" in url:
        return "the url holds a fragment (#), which WebSocket forbids; write it as %23 if it is meant"
    authority = url.partition("://")[2].partition("/")[0].partition("?")[0]
    if "@" in authority:
        return "the url holds a user name; send it in the header Authorization"
    return ""
