"""The stages of the Dockerfile, and their commands run as an engine would, in a root made of mounts.

No container engine is needed: the root is read-only but for /tmp and what is mounted to be written to; user,
environment and words are the Dockerfile's. Network and host name are its own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.documents import ROOT

ADDRESS = "172.17.0.2"
"""Of a container in its own network, as an engine that publishes a port leads there."""
HOST_NAME = "3f2a9c81d0be"


@dataclass(frozen=True)
class Stage:
    """One of a Dockerfile's images: its instructions in their order."""

    instructions: tuple[tuple[str, str], ...]

    def all(self, word: str) -> list[str]:
        """What stands behind an instruction, each time that it is there."""
        return [rest for name, rest in self.instructions if name == word]

    @property
    def user(self) -> int:
        """As whom it runs."""
        return int(self.all("USER")[-1])

    @property
    def entry(self) -> list[str]:
        """Words that stand before every command."""
        return [word for text in self.all("ENTRYPOINT")[-1:] for word in json.loads(text)]

    @property
    def command(self) -> list[str]:
        """Words of the command that runs where none is named."""
        words: list[str] = json.loads(self.all("CMD")[-1])
        return words

    @property
    def environment(self) -> dict[str, str]:
        """Variables that it sets."""
        pairs = re.findall(r'(\w+)=("[^"]*"|\S+)', " ".join(self.all("ENV")))
        return {name: value.strip('"') for name, value in pairs}


def stages() -> dict[str, Stage]:
    """The Dockerfile's images by name; the last, which is built where none is named, is called ""."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            name = rest.partition(" AS ")[2]
            found[name] = []
        if word and word != "#":
            found[name].append((word, rest))
    return {name: Stage(tuple(instructions)) for name, instructions in found.items()}


_ENTER = """
set -e
mount -t tmpfs -o mode=755 tmpfs "$NEW"
show() { mkdir -p "$NEW$2"; mount --bind "$1" "$NEW$2"; mount -o remount,bind,ro "$NEW$2"; }
mkdir "$NEW/tmp"
mount -t tmpfs -o mode=1777 tmpfs "$NEW/tmp"
for folder in $SYSTEM; do show "$folder" "$folder"; done
for pair in $READ; do show "${pair%%:*}" "${pair#*:}"; done
for pair in $WRITTEN; do mkdir -p "$NEW${pair#*:}"; mount --bind "${pair%%:*}" "$NEW${pair#*:}"; done
for folder in proc dev; do mkdir -p "$NEW/$folder"; done
mount --bind /proc "$NEW/proc"
mount --bind /dev "$NEW/dev"
mount --bind "$HOSTS" "$NEW/etc/hosts"
mount -o remount,ro "$NEW"
hostname "$CALLED"
if command -v ip >/dev/null; then
  ip link set lo up
  if [ "$ADDRESS" ]; then ip address add "$ADDRESS/16" dev lo; fi
fi
exec chroot --userspec="$USER:$USER" --groups= "$NEW" /usr/bin/env -i "$@"
"""


@dataclass(frozen=True)
class Container:
    """An image that lies in the folder `app`, and folders as they are mounted: outside's path by inside's.

    `system`: where the interpreter and its libraries are. `networked`: whether it has an address beside its
    loopback; nothing outside can be reached either way.
    """

    stage: Stage
    system: tuple[str, ...]
    path: str
    library: str = ""
    read: Mapping[str, Path] = field(default_factory=dict)
    written: Mapping[str, Path] = field(default_factory=dict)
    networked: bool = False
    user: int | None = None

    @contextmanager
    def started(
        self, words: Sequence[str] = (), **variables: str
    ) -> Iterator[subprocess.Popen[str]]:
        """The process, with `words` in place of the image's command; it ends with the block."""
        with tempfile.TemporaryDirectory(prefix="secateur-root-") as folder:
            root = Path(folder) / "root"
            root.mkdir()
            hosts = Path(folder) / "hosts"
            hosts.write_text(f"127.0.0.1 localhost\n{ADDRESS} {HOST_NAME}\n")
            settings = {
                "NEW": str(root),
                "SYSTEM": " ".join(self.system),
                "READ": _pairs(self.read),
                "WRITTEN": _pairs(self.written),
                "HOSTS": str(hosts),
                "CALLED": HOST_NAME,
                "ADDRESS": ADDRESS if self.networked else "",
                "USER": str(self.stage.user if self.user is None else self.user),
            }
            inside = {
                "HOME": "/nonexistent", "PATH": self.path, "PYTHONPATH": self.library,
                **self.stage.environment, **variables,
            }  # fmt: skip
            command = [*self.stage.entry, *(words or self.stage.command)]
            process = subprocess.Popen(
                ["unshare", "--net", "--mount", "--uts", "sh", "-c", _ENTER, "enter"]
                + [f"{name}={value}" for name, value in inside.items()]
                + command,
                env={**os.environ, **settings},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            try:
                yield process
            finally:
                process.kill()
                process.communicate()

    def run(self, words: Sequence[str] = (), **variables: str) -> subprocess.CompletedProcess[str]:
        """Until it ends; with its output."""
        with self.started(words, **variables) as process:
            output, errors = process.communicate(timeout=300)
            return subprocess.CompletedProcess(words, process.returncode, output, errors)


def _pairs(mounts: Mapping[str, Path]) -> str:
    return " ".join(f"{outside}:{inside}" for inside, outside in mounts.items())


def needs_root_and_unshare() -> None:
    """Skip where no network, no mounts and no user of one's own can be had."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root may become another user and mount")
    tried = ["unshare", "--net", "--mount", "--uts", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        done = subprocess.run(tried, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if done.returncode:
        pytest.skip(f"a network and mounts of one's own are not allowed here: {done.stderr}")


def system_folders(*more: str) -> tuple[str, ...]:
    """Where the interpreter and its libraries are."""
    places = ("/usr", "/bin", "/lib", "/lib64", "/etc", sys.base_prefix, *more)
    return tuple(dict.fromkeys(place for place in places if Path(place).is_dir()))


def pip(python: str | Path, *words: object) -> None:
    """Run pip, or skip where packages can't be downloaded."""
    checked([str(python), "-m", "pip", "--disable-pip-version-check", *map(str, words)])


def checked(words: Sequence[str], **variables: str) -> None:
    """Run a command that installs, or skip where packages can't be downloaded."""
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore", **variables},
    )
    if "NewConnectionError" in done.stderr or "Could not find a version" in done.stderr:
        pytest.skip("packages can't be downloaded here")
    assert done.returncode == 0, done.stderr


@contextmanager
def open_folder(prefix: str) -> Iterator[Path]:
    """A folder that other users may look into; pytest's own they may not."""
    with tempfile.TemporaryDirectory(prefix=prefix) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def build_wheel(folder: Path) -> Path:
    """The wheel of this checkout, as the Dockerfile's first stage builds it, without asking a network."""
    pytest.importorskip("hatchling", reason="the wheel is built with hatchling")
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT]
    pip(sys.executable, *words)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install_as(stage: Stage, app: Path, wheel: Path, environment: Path) -> None:
    """What a stage installs, by its own RUN line, into a new environment in place of the image's Python.

    `app`: the folder that stands for the image's /app.
    """
    checked([sys.executable, "-m", "venv", str(environment)])
    (app / "wheel").mkdir(parents=True)
    (app / "constraints.txt").write_bytes((ROOT / "constraints.txt").read_bytes())
    (app / "wheel" / wheel.name).write_bytes(wheel.read_bytes())
    (install,) = stage.all("RUN")
    path = f"{environment}/bin:{os.environ['PATH']}"
    checked(["sh", "-ec", install.replace("/app/", f"{app}/")], PATH=path)
    assert not (app / "wheel").exists()
