"""Programs for Node.js in the tests: a folder of modules, installed with exactly the packages of its lock file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def install(source: Path, folder: Path) -> Path:
    """A copy of the folder with its packages; skips where there is no Node, and fails there if CI is set."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        reason = f"no {' and no '.join(missing)} on this machine: {source.name} was not run"
        if os.environ.get("CI") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    done = subprocess.run(["npm", "ci"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def check_package_files(source: Path) -> None:
    """The package files pin every package by its hash and name no download address."""
    settings = (source / ".npmrc").read_text().splitlines()
    assert "omit-lockfile-registry-resolved=true" in settings
    assert not [line for line in settings if "registry=" in line and not line.startswith("omit-")]
    lock = (source / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    packages = {path: each for path, each in json.loads(lock)["packages"].items() if path}
    assert packages
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
