"""The web desk's look: the consoles' palettes as CSS variables, and Gradio's theme made of them.

One source of colours (studio/views/look.py) for both consoles. Knows CSS names; refuses to know
which state deserves which tone.
"""

import gradio as gr

from studio.views.look import DARK, LIGHT, Palette

FONTS = {"fonts/tandem-regular.woff2": 400, "fonts/tandem-semibold.woff2": 600}
FAMILY = "Tandem"
_FALLBACKS = ("system-ui", "Noto Sans", "DejaVu Sans", "sans-serif")
_COLOURS = ("ground", "panel", "raised", "hover", "pressed", "line", "text", "muted", "accent",
            "accent_hover", "accent_ink", "selected")
_TONE_PARTS = ("fill", "ink", "text", "edge")


def style_sheet() -> str:
    """Font faces, and the variables of both palettes: light by default, dark where asked for."""
    faces = "\n".join(
        f"@font-face {{ font-family: {FAMILY}; font-weight: {weight}; font-display: swap; "
        f"src: url(/look/{name}) format('woff2'); }}" for name, weight in FONTS.items())
    tones = "\n".join(
        f".tone-{tone} {{ " + " ".join(f"--tone-{part}: var(--ts-{tone}-{part});"
                                       for part in _TONE_PARTS) + " }"
        for tone in LIGHT.tones)
    return "\n".join((faces, f":root {{ {variables(LIGHT)} color-scheme: light; }}",
                      f".dark {{ {variables(DARK)} color-scheme: dark; }}", tones))


def variables(palette: Palette) -> str:
    """A palette as CSS variables: --ts-ground, --ts-ready-fill …"""
    plain = {name.replace("_", "-"): getattr(palette, name) for name in _COLOURS}
    tones = {f"{tone}-{part}": getattr(look, part)
             for tone, look in palette.tones.items() for part in _TONE_PARTS}
    return " ".join(f"--ts-{name}: {value};" for name, value in (plain | tones).items())


def theme() -> gr.themes.Base:
    """Gradio's theme: our variables wherever it asks for a colour, no font from elsewhere."""
    fonts = [FAMILY, *_FALLBACKS]
    both = {
        "body_background_fill": "var(--ts-ground)",
        "body_text_color": "var(--ts-text)",
        "body_text_color_subdued": "var(--ts-muted)",
        "background_fill_primary": "var(--ts-panel)",
        "background_fill_secondary": "var(--ts-ground)",
        "block_background_fill": "var(--ts-panel)",
        "block_border_color": "var(--ts-line)",
        "block_label_background_fill": "var(--ts-panel)",
        "block_label_text_color": "var(--ts-muted)",
        "block_title_text_color": "var(--ts-muted)",
        "block_info_text_color": "var(--ts-muted)",
        "border_color_primary": "var(--ts-line)",
        "border_color_accent": "var(--ts-accent)",
        "color_accent_soft": "var(--ts-selected)",
        "link_text_color": "var(--ts-accent)",
        "link_text_color_hover": "var(--ts-accent-hover)",
        "input_background_fill": "var(--ts-raised)",
        "input_background_fill_focus": "var(--ts-raised)",
        "input_border_color": "var(--ts-line)",
        "input_border_color_focus": "var(--ts-accent)",
        "input_placeholder_color": "var(--ts-muted)",
        "panel_background_fill": "var(--ts-panel)",
        "panel_border_color": "var(--ts-line)",
        "checkbox_background_color": "var(--ts-raised)",
        "checkbox_background_color_selected": "var(--ts-accent)",
        "checkbox_border_color": "var(--ts-muted)",
        "checkbox_label_background_fill": "var(--ts-raised)",
        "checkbox_label_background_fill_selected": "var(--ts-selected)",
        "checkbox_label_text_color": "var(--ts-text)",
        "checkbox_label_text_color_selected": "var(--ts-text)",
        "button_primary_background_fill": "var(--ts-accent)",
        "button_primary_background_fill_hover": "var(--ts-accent-hover)",
        "button_primary_text_color": "var(--ts-accent-ink)",
        "button_primary_border_color": "var(--ts-accent)",
        "button_secondary_background_fill": "var(--ts-raised)",
        "button_secondary_background_fill_hover": "var(--ts-hover)",
        "button_secondary_text_color": "var(--ts-text)",
        "button_secondary_border_color": "var(--ts-line)",
        "button_cancel_background_fill": "var(--ts-recording-fill)",
        "button_cancel_background_fill_hover": "var(--ts-recording-fill)",
        "button_cancel_text_color": "var(--ts-recording-ink)",
        "button_cancel_border_color": "var(--ts-recording-edge)",
        "slider_color": "var(--ts-accent)",
        "table_text_color": "var(--ts-text)",
        "table_even_background_fill": "var(--ts-panel)",
        "table_odd_background_fill": "var(--ts-panel)",
        "table_border_color": "var(--ts-line)",
        "accordion_text_color": "var(--ts-text)",
    }
    dark = {f"{name}_dark": value for name, value in both.items()}
    return gr.themes.Base(font=fonts, font_mono=["ui-monospace", "DejaVu Sans Mono", "monospace"],
                          radius_size="sm", spacing_size="sm", text_size="md").set(
        **both, **dark, button_large_radius="6px", button_medium_radius="6px",
        block_shadow="none", button_primary_shadow="none", button_secondary_shadow="none",
        block_border_width="1px", body_text_size="15px", block_label_text_size="13px",
        block_title_text_weight="600", button_large_text_weight="600")
