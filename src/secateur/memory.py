"""Memory that work in many like pieces keeps from piece to piece.

Comes in: nothing. Goes out: the C library's allocator told to keep what it has. Next: `training.loop` calls
it once before it trains, `cli.detect` and `detectors.batch` before they go over recordings.

Each step of training frees its activations, some megabytes each, and the next one wants as many again; so
does each piece of a recording. glibc hands large blocks back to the system, which gives them out anew page by
page, each page zeroed. At batch 32 a plain loop over the largest network meets some 2,500 new pages in a
step, a twelfth of its processor time. Since dropout and pooling make fewer blocks, ours meets from none to
2,000 without this, by chance of what was allocated before, and next to none with it: it keeps the time of a
step from hanging on that. Detecting meets from none to 250 in a piece, by the same chance: up to a tenth of
its time.
"""

from __future__ import annotations

import ctypes
import sys

# names and numbers of <malloc.h>
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_NEVER = 2**31 - 1
_LARGE = 2**30
_LARGEST_OF_OLD = 32 * 2**20
"""What older versions of glibc take at most as the size of a block that is mapped by itself."""
_PAD = 64 * 2**20


def keep_memory() -> None:
    """Have this process keep freed memory for itself, from now on; nothing where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_TRIM_THRESHOLD, _NEVER)
    mallopt(_M_TOP_PAD, _PAD)
    if not mallopt(_M_MMAP_THRESHOLD, _LARGE):
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_OF_OLD)
