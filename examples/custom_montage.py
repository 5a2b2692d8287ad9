"""A montage of one's own: a detector for a headband that has eight electrodes.

python examples/custom_montage.py RECORDINGS OUT

Pairs are taken as recorded, turned round, or derived from electrodes that share a reference. The detector's
file keeps them, and refuses recordings that lack one of their electrodes. Needs the extra `train`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import secateur

PAIRS = ["F7-T7", "T7-P7", "P7-O1", "F8-T8", "T8-P8", "P8-O2"]
"""In the order in which the network takes them; T3 to T6 are understood as T7 to P8."""


def main(recordings: str, out: str, **settings: object) -> None:
    """Train and prune on these pairs alone; say what the file asks of a recording."""
    montage = {"chain.montage": "pairs", "chain.channels": PAIRS}
    secateur.run(recordings, out, settings={**montage, **settings})
    detector = secateur.load_detector(Path(out) / "pruned.onnx")
    print(f"channels: {', '.join(detector.chain.channel_names)}")
    print(f"electrodes that a recording needs: {', '.join(detector.electrodes)}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
