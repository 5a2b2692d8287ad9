"""`secateur doctor`: what is here, what is missing, and how to get it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, requires, version

import typer


def doctor() -> None:
    """Show versions, threads, the cache, and which extras are missing."""
    import secateur
    from secateur.errors import how_to_install
    from secateur.files import cache_folder

    print(f"secateur {secateur.__version__}, Python {platform.python_version()}, {sys.platform}")
    print(
        f"processors: {os.cpu_count()}; Secateur uses one thread a process and --workers processes"
    )
    extras = _packages()
    lacking: dict[str, list[str]] = {}
    for extra, names in extras.items():
        print(f"{'needed always' if not extra else f'extra {extra}'}:")
        for name in names:
            version_here = _version(name)
            if version_here is None:
                lacking.setdefault(extra, []).append(name)
            print(f"  {name} {version_here or 'missing'}")
    folder = cache_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 2**30
    writable = "writable" if os.access(existing, os.W_OK) else "NOT WRITABLE: set SECATEUR_CACHE"
    print(f"cache: {folder} ({free:.1f} GiB free, {writable})")
    if always := lacking.pop("", None):
        print(f"missing: {', '.join(always)}; get them with: {how_to_install()}")
    if lacking:
        print(f"extras of which something is missing: {', '.join(lacking)}")
        example = "train" if "train" in lacking else next(iter(lacking))
        print(f"get one, here {example}, with: {how_to_install(example)}")
        print("detecting, evaluating, scoring, simulating and inspecting need no extra")
    elif not always:
        print("nothing is missing: everything that Secateur does works here")
    raise typer.Exit(0)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)[^;]*(?:; *extra *== *['\"]([\w-]+)['\"])?")
_NOT_FOR_USERS = ("all", "dev")


def _packages() -> dict[str, list[str]]:
    """What the installed Secateur says it needs, by extra; under "" what it always needs."""
    packages: dict[str, list[str]] = {}
    for requirement in requires("secateur") or ():
        match = _REQUIREMENT.match(requirement)
        if match is not None and match[2] not in _NOT_FOR_USERS:
            packages.setdefault(match[2] or "", []).append(match[1])
    return packages
