"""The colours of statuses, the same in every drawing.

Law: one small table. Soft fills that black text is read on, also on a dark page, because the text
colour is said beside them.
"""

INK = "#1f2328"
FAINT = "#57606a"
LINE = "#6e7781"

STATUSES = {
    # status: (fill, border)
    "idle": ("#f3f4f6", "#8c959f"),
    "connecting": ("#ddeeff", "#5b8fc7"),
    "authenticating": ("#ebe4fb", "#8a6fc9"),
    "ready": ("#dcf3e1", "#4f9d69"),
    "waiting": ("#fff1cc", "#c49a2c"),
    "suspended": ("#ffe3cc", "#cc8240"),
    "closing": ("#ece7e1", "#9a8c7c"),
    "closed": ("#e4e7eb", "#6e7781"),
    "failed": ("#fbdcdc", "#c75b5b"),
}
NONE = ("#ffffff", LINE)
"""A state whose status nobody says."""


def colours(status: str | None) -> tuple[str, str]:
    """Fill and border of a status."""
    return STATUSES.get(status or "", NONE)
