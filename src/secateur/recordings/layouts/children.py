"""Which child a case of CHB-MIT is.

Case chb21 was recorded 1.5 years after chb01, from the same child
(https://physionet.org/content/chbmit/1.0.0/). Taken for two, one child would stand on two sides of a split.
"""

from __future__ import annotations

import re

_SAME_CHILD = {"chb21": "chb01"}
# chb17a, b and c are three recordings of one case
_CASE = re.compile(r"(chb\d\d)[a-z]?", re.IGNORECASE)
_NAME_OF_THE_SET = re.compile(r"chb[\s_-]?mit", re.IGNORECASE)

NOTE = "chb21 is the same child as chb01: both are the subject chb01"


def child_of(label: str) -> tuple[str, str] | None:
    """Subject and session of a label such as `chb21`; None where it names no case of CHB-MIT."""
    match = _CASE.fullmatch(label)
    if match is None:
        return None
    case = match[1].lower()
    return _SAME_CHILD.get(case, case), case


def bids_child_of(label: str, session: str, name: str) -> tuple[str, str]:
    """The same for BIDS, where chb21 is `sub-chb21`, or `sub-21` of a data set named CHB-MIT.

    Any other label stays as it is, with its session.
    """
    numbered = _NAME_OF_THE_SET.search(name) is not None and re.fullmatch(r"\d\d", label)
    child = child_of(f"chb{label}" if numbered else label)
    if child is None or child[0] == child[1]:
        return label, session
    subject, case = child
    return subject[3:] if numbered else label[:3] + subject[3:], case
