"""Start every benchmark with ``--help``: whether its imports are still where it looks for them."""

from __future__ import annotations

import argparse
import concurrent.futures
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def start(path: Path) -> str:
    """Start one benchmark, and return what it complains about, if anything."""
    done = subprocess.run(
        [sys.executable, str(path), "--help"], capture_output=True, text=True, timeout=300
    )
    return "" if done.returncode == 0 else f"{path.name}: {done.stderr or done.stdout}"


def main() -> int:
    """Start them all, two at a time, and return the exit code."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    paths = [path for path in sorted(FOLDER.glob("*.py")) if path != Path(__file__)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        complaints = list(filter(None, pool.map(start, paths)))
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    print(f"{len(paths) - len(complaints)} of {len(paths)} benchmarks start")
    return 1 if complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
