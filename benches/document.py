"""Figures in docs/performance.md, between marks that name the command which prints them."""

import os
from pathlib import Path

DOCUMENT, CHARTS = Path("docs/performance.md"), Path("docs/bench")

# Whether documents are to be renewed.
WRITE = bool(os.environ.get("WRITE"))


def renew(command: str, rounds: int, text: str) -> None:
    """Puts the text, measured in so many rounds, in place of the figures of this command."""
    begin, end = f"<!-- figures: {command} -->\n", f"<!-- end of figures: {command} -->\n"
    head, rest = DOCUMENT.read_text(encoding="utf-8").split(begin)
    DOCUMENT.write_text(f"{head}{begin}\nRounds: {rounds}.\n\n{text}\n{end}{rest.split(end)[1]}", encoding="utf-8")
