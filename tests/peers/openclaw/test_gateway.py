"""How the real gateway is configured."""

import json
from pathlib import Path

from .gateway import TOKEN, Gateway


async def test_a_configuration_is_changed_in_place(tmp_path: Path) -> None:
    """One value, at its path; the others stay, and others cannot read it."""
    it = Gateway(tmp_path, tmp_path)
    assert it.token == TOKEN
    it.change("gateway.auth.token", "another")
    it.change("gateway.nodes.pairing.autoApproveLocal", False)
    it.change("logging", None)
    found = json.loads((tmp_path / "state" / "openclaw.json").read_text(encoding="utf-8"))
    assert found["gateway"]["auth"] == {"mode": "token", "token": "another"}
    assert found["gateway"]["nodes"] == {"pairing": {"autoApproveLocal": False}}
    assert "logging" not in found
    assert (tmp_path / "state" / "openclaw.json").stat().st_mode & 0o777 == 0o600
