"""Makes the typeface of the consoles: Inter with Lucide's icons as characters of it.

    python tests/make_fonts.py INTER LUCIDE

INTER and LUCIDE are the unpacked npm packages inter-ui 4.1.1 and lucide-static 1.62.0; fonttools
4.68 and brotli must be installed. Which icons: `studio.views.icons.ICONS`. What is made, and from
what, is told in ui_assets/README.md.

Dear PyGui knows no OpenType features, so in its fonts the digits are the equally wide ones from
the start: numbers that change every frame must not dance. Icons are characters of the same fonts,
so a label may hold both ("▶ Record").
"""

import math
import shutil
import sys
from pathlib import Path

# pyright: reportMissingImports=false
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from studio.views.icons import ICONS

FONTS = Path(__file__).resolve().parent.parent / "ui_assets" / "fonts"
WEIGHTS = {"Regular": "regular", "SemiBold": "semibold"}
COVERED = (
    range(0x0020, 0x0250),      # Latin
    range(0x02B0, 0x0530),      # modifiers, accents, Greek, Cyrillic
    range(0x1E00, 0x1F00),      # Vietnamese
    range(0x2000, 0x2070), range(0x2070, 0x20C0),   # dashes, quotes, superscripts, money
    range(0x2100, 0x2400),      # letters like ℃, arrows, mathematics, technical signs
    range(0x25A0, 0x2800),      # shapes, ticks and crosses
)
WIDE_DIGITS = "0123456789+−"
ICON_SIZE = 1.15                # of the letter size: as tall as a capital with a little around it
CAPITAL_MIDDLE = 0.364          # of Inter's capitals above the baseline, in letter sizes


def letters(inter: Path, weight: str) -> TTFont:
    """Inter in one weight, cut down to what the consoles may have to write."""
    font = TTFont(inter / "web" / f"Inter-{weight}.woff2", recalcTimestamp=False)
    options = Options(layout_features=["kern", "mark", "mkmk", "ccmp", "locl", "tnum", "calt"],
                      name_IDs=["*"], hinting=False, notdef_outline=True, glyph_names=False)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=[code for block in COVERED for code in block])
    subsetter.subset(font)
    return font


def add_icons(font: TTFont, lucide: Path) -> None:
    """Draw the icons into the font, centred on its capitals."""
    source = TTFont(lucide / "font" / "lucide.ttf")
    outlines, names = source.getGlyphSet(), source.getBestCmap()
    size, em = font["head"].unitsPerEm, source["head"].unitsPerEm
    scale = ICON_SIZE * size / em
    bottom = round((CAPITAL_MIDDLE - ICON_SIZE / 2) * size)
    for name, code in ICONS.items():
        pen = TTGlyphPen(None)
        into = TransformPen(pen, (scale, 0, 0, scale, 0, bottom))
        if name == "record":
            draw_disc(into, em)
        else:
            outlines[names[code]].draw(into)
        glyph_name = f"icon.{name}"
        font.setGlyphOrder([*font.getGlyphOrder(), glyph_name])
        glyph = pen.glyph()
        font["glyf"][glyph_name] = glyph
        glyph.recalcBounds(font["glyf"])
        font["hmtx"][glyph_name] = (round(em * scale), glyph.xMin)
        for table in font["cmap"].tables:
            if table.isUnicode():
                table.cmap[code] = glyph_name


def draw_disc(pen: TransformPen, em: int) -> None:
    """The sign of recording, which Lucide has only as a ring."""
    radius = 0.34 * em / math.cos(math.pi / 8)      # of the octagon around the disc
    corners = [em * (1 + 1j) / 2 + radius * complex(math.cos(turn), math.sin(turn))
               for turn in (-math.tau * corner / 8 for corner in range(8))]
    pen.qCurveTo(*((corner.real, corner.imag) for corner in corners), None)
    pen.closePath()


def widen_digits(font: TTFont) -> None:
    """Make the equally wide digits the usual ones; drop what Dear PyGui does not read."""
    swaps: dict[str, str] = {}
    gsub = font["GSUB"].table
    for record in gsub.FeatureList.FeatureRecord:
        if record.FeatureTag == "tnum":
            for index in record.Feature.LookupListIndex:
                for subtable in gsub.LookupList.Lookup[index].SubTable:
                    swaps |= getattr(subtable, "ExtSubTable", subtable).mapping
    for table in font["cmap"].tables:
        for digit in map(ord, WIDE_DIGITS):
            table.cmap[digit] = swaps.get(table.cmap[digit], table.cmap[digit])
    for name in ("GSUB", "GPOS", "GDEF"):
        if name in font:
            del font[name]


def main(inter: Path, lucide: Path) -> None:
    """Write the fonts and their licences."""
    FONTS.mkdir(parents=True, exist_ok=True)
    for weight, name in WEIGHTS.items():
        font = letters(inter, weight)
        add_icons(font, lucide)
        font.flavor = "woff2"
        font.save(FONTS / f"tandem-{name}.woff2")
        font.flavor = None
        widen_digits(font)
        font.save(FONTS / f"tandem-{name}.ttf")
        held = [chr(code) for code in sorted(font.getBestCmap()) if code not in ICONS.values()]
        (FONTS / "letters.txt").write_text("".join(held), encoding="utf-8")
    shutil.copyfile(inter / "LICENSE.txt", FONTS / "LICENSE-inter.txt")
    shutil.copyfile(lucide / "LICENSE", FONTS / "LICENSE-lucide.txt")
    for path in sorted(FONTS.iterdir()):
        print(f"{path.name:24} {path.stat().st_size:8} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
