"""Bar charts as SVG, for light and dark pages."""

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, LABELS, BAR, GAP, TOP = 860, 330, 15, 14, 58
COLOURS = ["#2f6fde", "#d9822b", "#3d9a50", "#8b5fbf", "#b0413e", "#5f7f8c"]

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 16px }
.figure { font-size: 12px }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
"""


@dataclass
class Row:
    """A measure: what it is, its unit, and the figure of each library, if there is one."""

    what: str
    unit: str
    figures: dict[str, float | None]


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}" text-anchor="{anchor}">{escape(content)}</text>'


def draw(path: Path, title: str, rows: list[Row]) -> None:
    """Writes a chart. The longest bar of a measure is that of its largest figure."""
    names = list(dict.fromkeys(name for row in rows for name in row.figures))
    height = TOP + len(rows) * (len(names) * BAR + GAP) + 8
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        text(12, 24, title, "title"),
    ]
    for i, name in enumerate(names):
        x = LABELS + 110 * i
        out.append(f'<rect x="{x}" y="36" width="11" height="11" fill="{COLOURS[i]}"/>')
        out.append(text(x + 16, 46, name))
    room = WIDTH - LABELS - 90
    y = TOP
    for row in rows:
        largest = max((f for f in row.figures.values() if f is not None), default=0) or 1
        middle = y + len(names) * BAR / 2 + 4
        out.append(text(LABELS - 10, middle, row.what.replace("`", ""), anchor="end"))
        for i, name in enumerate(names):
            figure = row.figures.get(name)
            top = y + i * BAR
            if figure is None:
                out.append(text(LABELS + 4, top + 11, "–", "figure"))
                continue
            width = max(1.5, figure / largest * room)
            out.append(
                f'<rect x="{LABELS}" y="{top + 1}" width="{width:.1f}" height="{BAR - 3}" '
                f'fill="{COLOURS[i]}"/>'
            )
            label = f"{number(figure)} {row.unit}".strip()
            out.append(text(LABELS + width + 5, top + 11, label, "figure"))
        y += len(names) * BAR + GAP
    out.append("</svg>\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(out), encoding="utf-8")


def number(figure: float) -> str:
    """Three digits, without an exponent."""
    if figure >= 1000:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"
