"""A folder that not all machines see is found out before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ray_jobs.cluster import Cluster, ClusterError
from ray_jobs.shared import check_seen, check_shared


def test_machines_that_see_a_folder_and_one_that_does_not(cluster: Cluster, tmp_path: Path) -> None:
    check_shared(tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    check_seen(tmp_path / "file")
    with pytest.raises(ClusterError, match=r"does not see this folder: put the runs \(--out\)"):
        check_seen(tmp_path / "elsewhere" / "file")
