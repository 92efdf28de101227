"""Colours: that text can be read in each of our themes, wherever it stands."""

from __future__ import annotations

import pytest
from textual.color import Color
from textual.theme import Theme

from tui.themes import THEMES, derived

READABLE = 4.5
"""The contrast that WCAG 2.2 wants of text at least."""
MIXED = [theme for theme in THEMES if not theme.ansi]


def contrast(one: Color, other: Color) -> float:
    """WCAG's ratio."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: Color) -> float:
    parts = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in color.normalized
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("theme", MIXED, ids=lambda theme: theme.name)
def test_text_stands_out_from_each_ground(theme: Theme) -> None:
    made = theme.to_color_system().generate() | derived(theme)
    plain = [Color.parse(made[name]) for name in ("background", "surface", "panel")]
    grounds = [*plain, *(ground + Color.parse(made["row"]) for ground in plain[:2])]
    for name in ("foreground", "muted", "text-primary", "text-accent", "text-error"):
        for ground in grounds:
            assert contrast(ground + Color.parse(made[name]), ground) >= READABLE, (name, ground)
    for name, over in (
        ("text-success", "added"),
        ("text-error", "removed"),
        ("text-warning", "literal"),
    ):
        for ground in plain:
            mixed = ground + Color.parse(made[over])
            assert contrast(mixed + Color.parse(made[name]), mixed) >= READABLE, (name, over)


def test_sixteen_colours_are_not_mixed() -> None:
    (ansi,) = (theme for theme in THEMES if theme.ansi)
    grounds = derived(ansi)
    assert all(grounds[name] == "ansi_default" for name in ("added", "removed", "literal", "row"))
    assert derived(MIXED[0]).keys() == grounds.keys()
