"""The library of the lab streaming layer, loaded so that it looks no further than this machine."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from secateur.errors import MissingExtraError

_CONFIGURATION = """\
; written by secateur: looks for streams of this machine alone
[multicast]
ResolveScope = machine
MachineAddresses = {127.0.0.1, 224.0.0.183, 239.255.172.215}
[ports]
IPv6 = disable
[log]
level = -3
"""
# The scope sets the packets' time to live to 0: none leaves the machine. Streams of other programs listen
# to these addresses; the first alone would reach those that got one of liblsl's 32 default ports.


@cache
def load_pylsl(purpose: str) -> ModuleType:
    """Pylsl, restricted to this machine unless `LSLAPICFG` names a configuration.

    `purpose`: what it is needed for. Raises `MissingExtraError`.
    """
    if not os.environ.get("LSLAPICFG"):
        folder = Path(tempfile.mkdtemp(prefix="secateur-lsl-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        path = folder / "lsl_api.cfg"
        path.write_text(_CONFIGURATION)
        os.environ["LSLAPICFG"] = str(path)  # read when liblsl is first used
    try:
        return import_module("pylsl")
    except ImportError:
        raise MissingExtraError("pylsl", "live", purpose) from None
