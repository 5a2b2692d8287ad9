"""The ways in which data sets lie on disk, one file each; the first that recognises a folder lists it.

A new layout is a file here with `NAME`, `recognises` and `listing`, and its place in `LAYOUTS`.
"""

from __future__ import annotations

from typing import Protocol

from secateur.recordings.layouts import bids, bonn, chbmit, plain, siena
from secateur.recordings.layouts.listing import Folder, Listing

__all__ = ["LAYOUTS", "Layout"]


class Layout(Protocol):
    """What each of these modules has."""

    NAME: str

    def recognises(self, folder: Folder) -> bool:
        """Whether the folder looks like this layout."""

    def listing(self, folder: Folder) -> Listing:
        """The recordings in it, those that can't be used, and what must be said."""


LAYOUTS: tuple[Layout, ...] = (bids, chbmit, siena, bonn, plain)
"""In order: BIDS names everything in its files' names, a plain folder is whatever is left."""
