"""`secateur fetch`: public EEG, downloaded and checked."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from secateur.counts import plural

if TYPE_CHECKING:
    from secateur.runs import Progress

_FETCH = "fetch, MB"
_MEGABYTE = 1_000_000
_MOST_LINES = 5


def fetch(
    dataset: str = typer.Argument(..., help="chbmit, siena or bonn."),
    out: Path = typer.Option(..., help="Folder to download into; what is there already is kept."),
    cases: str = typer.Option(
        "", help="Only these, with commas: chb01,chb05 or PN00,PN16 or Z,S. [default: all]"
    ),
    base_url: str | None = typer.Option(
        None,
        envvar="SECATEUR_FETCH_URL",
        help="A mirror: a place that holds the same files in the same folders.",
    ),
) -> None:
    """Download a public data set: resumed where it broke off, each file checked by its SHA-256.

    **chbmit** CHB-MIT Scalp EEG Database: 24 cases, children, about 43 GB. ODC-By 1.0.
    https://physionet.org/content/chbmit/1.0.0/

    **siena** Siena Scalp EEG Database: 14 adults, about 20 GB. CC BY 4.0.
    https://physionet.org/content/siena-scalp-eeg/1.0.0/

    **bonn** Bonn University, five archives (Z, O, N, F, S) of single-channel segments, a few MB.
    Free for research; cite Andrzejak et al. 2001, Phys. Rev. E 64, 061907.

    PhysioNet publishes hashes, and files are held to them. Bonn has none: its hashes are recorded in
    SHA256SUMS.txt in the folder at the first download, and checked from then on. Bonn's addresses
    (repositori.upf.edu, then www.upf.edu) are the last known and may ask for a browser; then get the five
    archives from https://www.upf.edu/web/ntsa/downloads, put them into --out and run this again.

    Interrupted, the same command goes on where it was. Files that are here are hashed again each time
    and left alone where they are right; damaged ones are named and fetched anew.

    Example: `secateur fetch chbmit --cases chb01,chb05 --out chbmit`
    """
    from secateur.cli.arguments import folder
    from secateur.cli.progress import progress_display
    from secateur.recordings import fetching, load_cohort

    asked = [part.strip() for part in cases.split(",") if part.strip()]
    with progress_display() as progress:
        bars = _Bars(progress)
        done = fetching.fetch(dataset, folder(out), asked, base_url, bars)
        bars.end()
    source = fetching.DATASETS[dataset]
    print(
        f"{plural(len(done.downloaded), 'file')} downloaded, {len(done.present)} were here and are right"
    )
    for path in done.damaged:
        print(f"was damaged, fetched anew: {path}")
    for path, sha256 in done.recorded.items():
        print(f"recorded, for no hash is published: {path} SHA-256 {sha256}")
    print(f"{source.title}, licence: {source.licence}; cite {source.cite}")
    cohort = load_cohort(out)
    who = plural(len(cohort.subjects), "subject") if cohort.subjects_known else "subjects not known"
    print(
        f"{cohort.layout}: {who}, {plural(len(cohort), 'recording')}, "
        f"{plural(cohort.seizures, 'seizure')}, {cohort.hours:.1f} h"
    )
    for problem in cohort.problems[:_MOST_LINES]:
        print(f"left out: {problem.key}: {problem.reason}")
    if len(cohort.problems) > _MOST_LINES:
        print(f"left out: {len(cohort.problems) - _MOST_LINES} more; `secateur inspect` lists them")
    command = ["secateur", "run", "--data", str(out), "--out", f"runs/{dataset}", *source.run]
    print(f"go on with: {shlex.join(command)}")


@dataclass
class _Bars:
    """Fetching's progress on the display that all verbs share; counts in MB."""

    progress: Progress
    began: bool = False

    def checking(self, done: int, of: int) -> None:
        self.progress.step("check", done, of, "")
        if done == of:
            self.progress.end("check", "")

    def arriving(self, done: int, of: int, note: str) -> None:
        if not self.began:
            self.progress.begin(_FETCH, None)
            self.began = True
        here, expected = done // _MEGABYTE, max(1, of // _MEGABYTE)
        self.progress.step(_FETCH, min(here, expected), expected, note)

    def end(self) -> None:
        if self.began:
            self.progress.end(_FETCH, "")
