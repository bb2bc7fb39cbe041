"""What the installed package says that it needs: other packages, of which versions, and for which extra.

Law: read from the metadata that pip goes by, so it is written once. What is not needed on this machine is left out.
"""

from collections.abc import Sequence
from importlib import metadata
from typing import Self

import attrs
from packaging.requirements import Requirement as Written
from packaging.specifiers import SpecifierSet

PACKAGE = "connection-lifecycle"


@attrs.frozen
class Requirement:
    """One package that is needed.

    Attributes:
        name: the package's.
        bounds: what its version must be.
        extra: which extra needs it; empty if everybody does.
    """

    name: str
    bounds: str = ""
    extra: str = ""

    @classmethod
    def parse(cls, text: str, extras: Sequence[str] = ()) -> Self | None:
        """Read a line of the metadata, such as `trio>=0.34; extra == "convai"`.

        Args:
            text: the line.
            extras: those that there are.

        Returns:
            None where it is not needed on this machine, whatever is wanted.
        """
        written = Written(text)
        for extra in ("", *extras):
            if written.marker is None or written.marker.evaluate({"extra": extra}):
                return cls(written.name, str(written.specifier), extra)
        return None

    def fits(self, version: str) -> bool:
        """Whether a version is within the bounds; one that nobody understands is not."""
        return SpecifierSet(self.bounds).contains(version, prereleases=True)

    @property
    def installed(self) -> str | None:
        """The version that is there, if any is."""
        try:
            return metadata.version(self.name)
        except metadata.PackageNotFoundError:
            return None


def requirements() -> Sequence[Requirement] | None:
    """All that the installed package needs; None if it is not installed, as in a checkout."""
    try:
        extras = metadata.metadata(PACKAGE).get_all("Provides-Extra") or []
        found = [Requirement.parse(text, extras) for text in metadata.requires(PACKAGE) or ()]
    except metadata.PackageNotFoundError:
        return None
    return [each for each in found if each is not None]
