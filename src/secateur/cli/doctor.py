"""`secateur doctor`: what is here, what is missing, and how to get it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version

import typer

_CORE = ("numpy", "scipy", "edfio", "onnxruntime", "timescoring", "pydantic", "typer", "rich")
_MORE = {"pooch": "fetch", "mne": "mne"}
_TRAIN = ("torch", "onnx", "safetensors", "scikit-learn", "pyarrow", "matplotlib", "tomli-w")


def doctor() -> None:
    """Show versions, threads, the cache, and which extras are missing."""
    import secateur
    from secateur.files import cache_folder

    print(f"secateur {secateur.__version__}, Python {platform.python_version()}, {sys.platform}")
    print(
        f"processors: {os.cpu_count()}; Secateur uses one thread a process and --workers processes"
    )
    for name in _CORE:
        print(f"  {name} {_version(name) or 'MISSING: pip install secateur'}")
    lacking = []
    for name in _TRAIN:
        found = _version(name)
        if found is None:
            lacking.append(name)
        print(f"  {name} {found or 'missing'}")
    for name, extra in _MORE.items():
        print(f"  {name} {_version(name) or f'missing: pip install secateur[{extra}]'}")
    folder = cache_folder()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free / 2**30
    writable = "writable" if os.access(existing, os.W_OK) else "NOT WRITABLE: set SECATEUR_CACHE"
    print(f"cache: {folder} ({free:.1f} GiB free, {writable})")
    if lacking:
        print(f"to train and prune, get {', '.join(lacking)}: pip install 'secateur[train]'")
        print("detecting, evaluating, scoring, simulating and inspecting work without them")
    else:
        print("nothing is missing: training, pruning, detecting and scoring all work here")
    raise typer.Exit(0)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
