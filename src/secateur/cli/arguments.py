"""What an `--out` means."""

from __future__ import annotations

from pathlib import Path

from secateur.errors import SettingsError

FILES = (".tsv", ".json", ".edf", ".c", ".xml", ".tflite", ".onnx")


def file_in(out: Path, suffix: str, name: str) -> Path:
    """`out` itself where it is a file of kind `suffix`, else `name` in the folder `out`."""
    kind = out.suffix.lower()
    if kind == suffix:
        if out.is_dir():
            raise SettingsError(f"--out {out}: is a folder, wanted a file")
        return out
    if kind in FILES:
        raise SettingsError(f"--out {out}: this writes {suffix} files, or into a folder")
    return folder(out) / name


def folder(out: Path) -> Path:
    """`out` as a folder. Raises `SettingsError` where it names or is a file."""
    if out.suffix.lower() in FILES or out.is_file():
        raise SettingsError(f"--out {out}: is a file's name, wanted a folder")
    return out
