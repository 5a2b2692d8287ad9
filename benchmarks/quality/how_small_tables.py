"""Tables of how_small.py, from the JSONs that it leaves."""
from pathlib import Path
from typing import Any
def table(kept: list[dict[str, Any]], data: Path, seeds: str) -> str:
    return f"{len(kept)}\n"
