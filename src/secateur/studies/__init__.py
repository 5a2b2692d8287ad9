"""Grids of runs: stated in a file, carried out here or on many machines, compared."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
