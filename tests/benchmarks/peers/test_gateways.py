"""The peer from the package index."""

from pathlib import Path

import pytest

from benchmarks.peers.gateways import PeerMissing, install_peer


def test_a_peer_that_cannot_be_installed_is_said_and_tried_again_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    for _ in range(2):
        with pytest.raises(PeerMissing, match=r"thingsboard-gateway .* cannot be installed here"):
            install_peer(tmp_path)
