"""What can go wrong, by name: one class for each kind of mistake.

Every one is a `SecateurError`, which the command line prints as one line, and also the built-in error that a
Python user would expect. Messages tell what came, what was wanted, and what to do about it.
"""

from __future__ import annotations

from pathlib import Path


class SecateurError(Exception):
    """Anything that Secateur refuses, in words meant for its user: one line that any terminal can print."""

    def __str__(self) -> str:
        return _one_line(super().__str__())


class SettingsError(SecateurError, ValueError):
    """A setting, an option or an argument that cannot be what was meant."""


class RecordingError(SecateurError, ValueError):
    """A recording that cannot be read, or only by guessing. Names the file and the reason."""

    def __init__(self, path: Path | str, reason: str) -> None:
        self.path = Path(path)
        self.reason = reason
        super().__init__(f"{self.path}: {reason}")


class RecordingNotFoundError(RecordingError, FileNotFoundError):
    """A recording that is not there."""

    def __str__(self) -> str:  # FileNotFoundError would print it as an errno tuple
        return _one_line(f"{self.path}: {self.reason}")


class ChannelsError(RecordingError):
    """A recording whose channels do not yield the montage. `missing` lists what it lacks."""

    def __init__(self, path: Path | str, reason: str, missing: tuple[str, ...] = ()) -> None:
        super().__init__(path, reason)
        self.missing = missing


class EventsError(SecateurError, ValueError):
    """Events that contradict themselves or their file."""


class CohortError(SecateurError, ValueError):
    """A folder of recordings that cannot be used as one."""


class FetchError(SecateurError, ConnectionError):
    """A file that could not be downloaded, or is not the one that its data set lists."""


class SplitError(SecateurError, ValueError):
    """Subjects or recordings that cannot be divided as asked, or that stand on two sides."""


class TrainingError(SecateurError, RuntimeError):
    """Training that cannot begin or has left the numbers (a loss that is not finite)."""


class SurgeryError(SecateurError, RuntimeError):
    """A network that could not be cut, or whose cut copy is not its equal."""


class DetectorError(SecateurError, ValueError):
    """A detector's file that is damaged, is none, or does not fit the recording."""


class StreamError(SecateurError, ValueError):
    """A chunk or a saved state that does not fit the stream."""


class SourceError(SecateurError, ConnectionError):
    """A live source of signal that can't be reached, or can't be what its address says."""


class SinkError(SecateurError, ConnectionError):
    """An address for alarms that can't be one, or a queue of alarms that can't be used."""


class ReviewError(SecateurError, ValueError):
    """What a reviewer asks for and can't be done or kept."""


class MonitorError(SecateurError, ValueError):
    """A monitor's state that is damaged or another detector's, or a recording that can't be its patient's."""


class ScoringError(SecateurError, ValueError):
    """A reference and a hypothesis that cannot be compared."""


class RunError(SecateurError, RuntimeError):
    """A run that cannot begin or go on: another run's folder, a missing extra."""


class MissingExtraError(SecateurError, ImportError):
    """A part of Secateur that needs a package which is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package = package
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed; "
            f"get it with: {how_to_install(extra)}"
        )


def how_to_install(extra: str = "") -> str:
    """The command that installs Secateur with an extra, from its repository or its wheel.

    Never `pip install secateur`: the secateur on PyPI is another project.
    """
    brackets = f"[{extra}]" if extra else ""
    return (
        f"pip install '.{brackets}' in a copy of Secateur's repository, or pip install "
        f"'WHEEL{brackets}' with its wheel's path (PyPI's secateur is another project)"
    )


def _one_line(message: str) -> str:
    """`message` without line ends and signs that steer a terminal: names of files may hold any."""
    if message.isprintable():
        return message
    signs = (" " if sign.isspace() else sign if sign.isprintable() else "?" for sign in message)
    return "".join(signs)
