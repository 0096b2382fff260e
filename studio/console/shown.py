"""Sets what is shown only where it differs from what stands there, and notes that something did.

Most of a console stands still most of the time; whoever draws asks `changed` whether a new frame
would look any different.
"""

from typing import Any

from studio.console.toolkit import dpg

Item = int | str


class Shown:
    """What stands on the screen, as far as it was put there through this object.

    Attributes:
        changed: something was set since `drawn` was called.
    """

    def __init__(self) -> None:
        self.changed = True
        self._values: dict[Item, Any] = {}
        self._themes: dict[Item, Item] = {}
        self._fonts: dict[Item, Item] = {}
        self._settings: dict[tuple[Item, str], Any] = {}

    def value(self, item: Item, value: Any) -> None:
        """Give an item a value."""
        if self._values.get(item) != value:
            self._values[item] = value
            dpg.set_value(item, value)
            self.changed = True

    def array(self, item: Item, value: Any) -> None:
        """Give an item a value that is not compared: a picture, a line."""
        dpg.set_value(item, value)
        self.changed = True

    def theme(self, item: Item, theme: Item) -> None:
        """Give an item a look."""
        if self._themes.get(item) != theme:
            self._themes[item] = theme
            dpg.bind_item_theme(item, theme)
            self.changed = True

    def font(self, item: Item, font: Item) -> None:
        """Give an item a font."""
        if self._fonts.get(item) != font:
            self._fonts[item] = font
            dpg.bind_item_font(item, font)
            self.changed = True

    def settings(self, item: Item, **settings: Any) -> None:
        """Give an item a label, a size, whether it is shown or enabled …"""
        fresh = {name: value for name, value in settings.items()
                 if self._settings.get((item, name)) != value}
        if fresh:
            self._settings |= {(item, name): value for name, value in fresh.items()}
            dpg.configure_item(item, **fresh)
            self.changed = True

    def typed(self, item: Item) -> None:
        """A person changed an item's value: what stands there is theirs."""
        self._values.pop(item, None)

    def forget(self, item: Item) -> None:
        """An item is gone."""
        self._values.pop(item, None)
        self._themes.pop(item, None)
        self._fonts.pop(item, None)
        for key in [key for key in self._settings if key[0] == item]:
            del self._settings[key]

    def forget_themes(self) -> None:
        """Other themes were made: bind them anew."""
        self._themes.clear()
        self.changed = True

    def drawn(self) -> None:
        """A frame shows what stands here."""
        self.changed = False
