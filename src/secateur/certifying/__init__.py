"""Accuracy-constrained pruning: the ladder, who is judged, and the certificate."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
