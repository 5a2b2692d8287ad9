"""How numbers are written, and which EEG is shown."""

from __future__ import annotations

from io import BytesIO

import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from PIL import Image

from secateur.reporting import document, style
from secateur.reporting.drawing import look, new_figure, to_png


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.8256, "0.826"), (-0.0316, "−0.032"), (-0.0001, "0.000"), (1.0, "1.000"), (None, "–")],
)
def test_scores(value: float | None, text: str) -> None:
    assert document.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0151, "+0.015"), (-0.0151, "−0.015"), (0.0, "0.000"), (None, "–")]
)
def test_differences_carry_their_sign(value: float | None, text: str) -> None:
    assert document.signed(value) == text


def test_intervals() -> None:
    assert document.bounds((0.5, 0.75)) == "[0.500, 0.750]"
    assert document.bounds((-0.5, 0.75), 1, sign=True) == "[−0.5, +0.8]"
    assert document.bounds(None) == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [(3418, "3,418"), (11_186, "11.2 k"), (3_061_056, "3.06 M"), (2.5e9, "2.5 G"), (None, "–")],
)
def test_large_counts(value: float | None, text: str) -> None:
    assert document.large(value).replace("\u00a0", " ") == text


def test_units_stay_with_their_numbers() -> None:
    assert document.kilobytes(47_030) == "47.0\u00a0kB"
    assert document.milliseconds(0.0994) == "0.099\u00a0ms"
    assert document.percent(0.305) == "30\u00a0%"
    assert document.milliseconds(None) == document.kilobytes(None) == document.percent(None) == "–"


def test_short_names_only_where_they_tell_subjects_apart() -> None:
    assert document.short_names(["a/sub-1", "a/sub-2"]) == {"a/sub-1": "sub-1", "a/sub-2": "sub-2"}
    assert document.short_names(["a/sub-1", "b/sub-1"]) == {
        "a/sub-1": "a/sub-1",
        "b/sub-1": "b/sub-1",
    }


def test_every_model_has_a_colour_mark_and_dash_of_its_own() -> None:
    for told in (style.COLOURS, style.MARKS):
        assert list(told) == [*style.MODEL_NAMES, "unstructured"]
        assert len(set(told.values())) == len(told)


def test_a_png_stands_on_paper_and_its_figure_stays_clear_for_pages() -> None:
    with look():
        figure = new_figure(2, 1)
        figure.subplots()
        with Image.open(BytesIO(to_png(figure))) as picture:
            corner = picture.convert("RGBA").getpixel((0, 0))
    assert corner == (*(int(style.PAPER[k : k + 2], 16) for k in (1, 3, 5)), 255)
    assert figure.patch.get_alpha() == 0
