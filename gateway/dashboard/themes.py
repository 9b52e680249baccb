"""Colours of the charts, light and dark; series after Okabe and Ito (2008), which colour-blind people tell apart."""

from dataclasses import dataclass

from gateway.dashboard.names import ThemeName


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours as `#rrggbb`: `surface` is what the chart lies on, `ink` is text, `grid` are rules and outlines."""

    surface: str
    ink: str
    quiet: str
    grid: str
    accent: str
    decisions: dict[str, str]
    verdicts: dict[str, str]
    series: tuple[str, ...]
    rest: str


THEMES = {
    ThemeName.LIGHT: Theme(
        surface="#ffffff",
        ink="#1d2a22",
        quiet="#55635a",
        grid="#dde4df",
        accent="#1b6e4b",
        decisions={"accepted": "#009e73", "uncertain": "#e69f00", "rejected": "#b0470a"},
        verdicts={"correct": "#009e73", "wrong": "#b0470a", "unsure": "#8d9a92"},
        series=("#0072b2", "#e69f00", "#009e73", "#b0470a", "#cc79a7", "#56b4e9", "#7a5ea8"),
        rest="#8d9a92",
    ),
    ThemeName.DARK: Theme(
        surface="#1a211d",
        ink="#e6ede8",
        quiet="#a3b0a8",
        grid="#37423b",
        accent="#5cc598",
        decisions={"accepted": "#2bb98c", "uncertain": "#e8b23a", "rejected": "#e2733a"},
        verdicts={"correct": "#2bb98c", "wrong": "#e2733a", "unsure": "#87948c"},
        series=("#3f9bd8", "#e8b23a", "#2bb98c", "#e2733a", "#d891b8", "#8accf2", "#a78bd6"),
        rest="#87948c",
    ),
}
