"""The colours of the screen.

Owns the themes of our own; Textual's can be chosen too. Must not know any widget.
"""

from __future__ import annotations

from dataclasses import replace

from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

MUTED = "$muted"
"""The text colour of what matters less."""

ANSI = "ansi"
"""The terminal's own sixteen colours, on its own background."""

DARK = Theme(
    name="dark",
    primary="#6cc7e0",
    secondary="#8fa8d8",
    accent="#c4a7f0",
    success="#7fd88f",
    warning="#e5c07b",
    error="#ff8b8b",
    foreground="#d7dde8",
    background="#12161f",
    surface="#171c27",
    panel="#202836",
    variables={
        "footer-key-foreground": "#6cc7e0",
        "footer-background": "#171c27",
        "block-cursor-foreground": "#12161f",
        "input-selection-background": "#6cc7e0 30%",
    },
)
LIGHT = Theme(
    name="light",
    dark=False,
    primary="#0b6b86",
    secondary="#3d5a99",
    accent="#6f42a8",
    success="#196a30",
    warning="#8a5a00",
    error="#b3262e",
    foreground="#1d2530",
    background="#fbfbf9",
    surface="#f2f3f1",
    panel="#e4e7e8",
    variables={
        "footer-key-foreground": "#0b6b86",
        "footer-background": "#f2f3f1",
        "block-cursor-foreground": "#fbfbf9",
        "input-selection-background": "#0b6b86 25%",
    },
)
CONTRAST = Theme(
    name="contrast",
    primary="#5fe9ff",
    secondary="#9fc5ff",
    accent="#ffb3ff",
    success="#66ff66",
    warning="#ffe14d",
    error="#ff8080",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    text_alpha=1.0,
    variables={
        "text-muted": "#d0d0d0",
        "footer-key-foreground": "#5fe9ff",
        "footer-description-foreground": "#ffffff",
        "border": "#ffffff",
        "border-blurred": "#b0b0b0",
        "block-cursor-foreground": "#000000",
        "input-selection-background": "#5fe9ff 40%",
    },
)

THEMES = (DARK, LIGHT, CONTRAST, replace(BUILTIN_THEMES["ansi-dark"], name=ANSI))


def derived(theme: Theme) -> dict[str, str]:
    """What every theme has besides, Textual's own too.

    `muted` is text that matters less, at a contrast of 4.5 on each ground of our themes; `added`,
    `removed`, `literal`, `said` and `row` are grounds of text, `row-style` marks the row that Enter
    takes. Sixteen colours cannot be mixed: there the ground is the terminal's, and that row is
    underlined, with NO_COLOR too.
    """
    if theme.ansi:
        names = ("muted", "added", "removed", "literal", "said", "row")
        return {**dict.fromkeys(names, "ansi_default"), "row-style": "bold underline"}
    made = theme.to_color_system().generate()

    def share(name: str, alpha: float) -> str:
        return Color.parse(made[name]).with_alpha(alpha).hex

    return {
        "muted": share("foreground", 0.72),
        "added": share("success", 0.12),
        "removed": share("error", 0.12),
        "literal": share("warning", 0.12),
        "said": share("primary", 0.12),
        "row": share("primary", 0.2),
        "row-style": "bold",
    }
