"""python -m backend.print_tables [FONT]: tables as JSON on standard input, a PDF of A4 pages on standard output.

The JSON is {title, about, empty, tables: [{title, head, rows, note}]} of texts. Only the characters that occur are embedded of the font, so
the file looks the same everywhere.
"""

import json
import logging
import sys
from pathlib import Path
from typing import Any

from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace

FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
)
"""Where Debian, Arch and Fedora put a font with Chinese."""
SIMPLIFIED = 2
"""Which font of the Noto collection is the one for simplified Chinese."""
EXIT_NO_FONT = 2
GREY = 238


def main(argv: list[str]) -> int:
    """Print. Returns the exit code: 0 done, 2 no font, with a line on standard error that says what to do."""
    font = Path(argv[0]) if argv else next((Path(path) for path in FONTS if Path(path).exists()), None)
    if font is None or not font.exists():
        where = f"{font} is not there" if font else "no font with Chinese was found"
        print(f"{where}: install the package fonts-noto-cjk, or name a font file in [web] print_font", file=sys.stderr)
        return EXIT_NO_FONT
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    sys.stdout.buffer.write(_print(json.load(sys.stdin), font))
    return 0


class _Pages(FPDF):
    """A4 with the page's number at the foot."""

    def footer(self) -> None:
        self.set_y(-12)
        self.set_font("text", size=8)
        self.cell(0, 8, f"{self.page_no()} / {{nb}}", align="C")


def _print(paper: dict[str, Any], font: Path) -> bytes:
    pages = _Pages(format="A4")
    pages.add_font("text", fname=font, collection_font_number=SIMPLIFIED if "Noto" in font.name else 0)
    pages.set_title(paper["title"])
    pages.set_margin(15)
    pages.set_auto_page_break(auto=True, margin=16)
    pages.add_page()
    _line(pages, paper["title"], 16)
    _line(pages, paper["about"], 9)
    for table in paper["tables"]:
        _table(pages, table, paper["empty"])
    return bytes(pages.output())


def _table(pages: FPDF, table: dict[str, Any], empty: str) -> None:
    pages.ln(3)
    if pages.will_page_break(24):  # a heading does not stand alone at the foot
        pages.add_page()
    _line(pages, table["title"], 11)
    pages.set_font("text", size=9)
    rows = table["rows"] or [[empty] + [""] * (len(table["head"]) - 1)]
    layout = TableBordersLayout.HORIZONTAL_LINES
    with pages.table(
        borders_layout=layout, headings_style=FontFace(emphasis="", fill_color=GREY), text_align="LEFT", line_height=5.5
    ) as grid:
        for row in (table["head"], *rows):
            grid.row(row)
    if table["note"]:
        _line(pages, table["note"], 8)


def _line(pages: FPDF, text: str, size: float) -> None:
    pages.set_font("text", size=size)
    pages.multi_cell(0, size * 0.55, text, new_x="LMARGIN", new_y="NEXT")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
