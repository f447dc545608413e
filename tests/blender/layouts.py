"""A layout that knows how wide Blender draws things, and so finds what would be cut off.

It checks every call against Blender's own description of layouts, and lays out rows, columns,
splits and boxes by Blender's rules. The pixels were measured in a window of Blender 4.3 at a scale
of 1, by labels and buttons whose texts grow until Blender shortens them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import blf
import bpy

RNA: Any = bpy.types.UILayout.bl_rna
# Region of the sidebar in which panels are tried; its tabs and margins are not for panels.
SIDEBAR_PIXELS = 260
SIDEBAR_MARGIN = 54
# Inside of an add-on's preferences, in Blender's window of preferences as it first opens.
PREFERENCES_PIXELS = 464
POINTS = 11.0
ICON_BUTTON = 20
GAP = 8
BOX_MARGIN = 9
# Share of a row that names a property, where names and values stand in two columns.
NAME_SHARE = 0.4
# Pixels of each kind beside its text: without an icon, with one.
BESIDE = {
    "label": (0, 24),
    "operator": (3, 21),
    "menu": (18, 39),
    "progress": (4, 4),
    "check": (21, 42),
    "check in a column": (26, 47),
    "toggle": (3, 21),
    "field": (36, 36),
    "choice": (18, 39),
    "name": (8, 8),
}


def text_pixels(text: str) -> float:
    """Width of a text in Blender's font for panels."""
    blf.size(0, POINTS)
    return blf.dimensions(0, text)[0]


@dataclass
class Part:
    """A piece of a row: a text, what else it needs room for, and its share of the row."""

    text: str
    beside: int
    share: float = 1.0

    def cut(self, width: float) -> list[str]:
        """How it is cut off in a row of that width, if it is."""
        need, room = text_pixels(self.text) + self.beside, width * self.share
        return [f"{self.text!r} needs {need:.0f} of {room:.0f} pixels"] if need > room else []


@dataclass
class Piece:
    """Something drawn by one call; it shows `shown` in the words of the code that drew it."""

    shown: str
    parts: list[Part]
    icon: str = "NONE"
    # Whether a value is entered there, and whether it has a box to click.
    field: bool = False
    embossed: bool = True
    enabled: bool = True
    narrow: bool = False

    def cut(self, width: float) -> list[str]:
        """What of it is cut off."""
        return [fault for part in self.parts for fault in part.cut(width)]


@dataclass
class Block:
    """What all layouts of a panel share.

    Blender forgets to switch the boxes of fields on again after a property without box that was
    drawn in two columns.
    """

    embossed: bool = True


@dataclass
class Settings:
    """What a layout hands on to those inside of it."""

    use_property_split: bool = False
    use_property_decorate: bool = True
    enabled: bool = True
    active: bool = True
    alert: bool = False
    alignment: str = "EXPAND"
    operator_context: str = "INVOKE_DEFAULT"
    emboss: str = "NORMAL"


@dataclass
class Layout:
    """A layout in which a panel may draw.

    Attributes
    ----------
    direction
        ``column``, ``row``, ``split`` or ``box``.
    """

    direction: str = "column"
    align: bool = False
    factor: float = 0.0
    settings: Settings = field(default_factory=Settings)
    block: Block = field(default_factory=Block)
    children: list[Layout | Piece] = field(default_factory=list)
    narrow: bool = False

    def __getattr__(self, name: str) -> Any:
        if name in Settings.__dataclass_fields__:
            return getattr(self.settings, name)
        if name not in RNA.functions:
            raise AttributeError(name)

        def call(*arguments: Any, **options: Any) -> Any:
            parameters = RNA.functions[name].parameters
            for option, value in options.items():
                items = getattr(parameters[option], "enum_items", None)
                assert not items or value in items, f"{name}({option}={value!r})"
            return getattr(self, f"_{name}")(*arguments, **options)

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        if name in Layout.__dataclass_fields__:
            object.__setattr__(self, name, value)
        elif name in Settings.__dataclass_fields__:
            setattr(self.settings, name, value)
        else:
            assert name in RNA.properties, f"layouts have no {name}"

    @property
    def pieces(self) -> Iterator[Piece]:
        """Everything that is drawn, from top to bottom."""
        for child in self.children:
            yield from child.pieces if isinstance(child, Layout) else [child]

    @property
    def shown(self) -> list[str]:
        """Texts, names of properties and of operators, from top to bottom."""
        return [piece.shown for piece in self.pieces]

    def cut(self, width: float) -> list[str]:
        """What is cut off in that many pixels."""
        if self.direction == "box":
            width -= BOX_MARGIN
        widths = [width] * len(self.children)
        if self.direction in ("row", "split"):
            widths = self._shares(width)
        return [
            fault
            for child, room in zip(self.children, widths, strict=True)
            for fault in child.cut(room)
        ]

    def _shares(self, width: float) -> list[float]:
        gaps = 0 if self.align else GAP * (len(self.children) - 1)
        if self.factor and len(self.children) == 2:
            return [self.factor * (width - gaps), (1 - self.factor) * (width - gaps)]
        narrow = sum(child.narrow for child in self.children)
        others = max(len(self.children) - narrow, 1)
        share = (width - gaps - narrow * ICON_BUTTON) / others
        return [ICON_BUTTON if child.narrow else share for child in self.children]

    def _inside(self, direction: str, *, align: bool = False, factor: float = 0.0) -> Layout:
        inherited = Settings(**vars(self.settings))
        inner = Layout(direction, align, factor, inherited, self.block)
        self.children.append(inner)
        return inner

    def _row(self, *, align: bool = False, heading: str = "") -> Layout:
        return self._inside("row", align=align)

    def _column(self, *, align: bool = False, heading: str = "") -> Layout:
        inner = self._inside("column", align=align)
        if heading:
            inner._add(heading, [self._part("name", heading, share=NAME_SHARE)])
        return inner

    def _split(self, *, factor: float = 0.0, align: bool = False) -> Layout:
        return self._inside("split", align=align, factor=factor)

    def _box(self) -> Layout:
        return self._inside("box")

    def _separator(self, **_: Any) -> None:
        pass

    def _label(self, *, text: str = "", icon: str = "NONE") -> None:
        self._add(text, [self._part("label", text, icon)], icon=icon)

    def _progress(self, *, text: str = "", factor: float = 0.0, **_: Any) -> None:
        self._add(text or "progress", [self._part("progress", text)])

    def _operator(self, name: str, *, text: str | None = None, icon: str = "NONE", **_: Any) -> Any:
        rna = _operator_rna(name)
        self._add_button("operator", name, rna.name if text is None else text, text, icon)
        return SimpleNamespace()

    def _operator_menu_enum(
        self, name: str, prop: str, *, text: str | None = None, icon: str = "NONE"
    ) -> Any:
        rna = _operator_rna(name)
        assert rna.properties[prop].enum_items
        self._add_button("menu", prop, rna.name if text is None else text, text, icon)
        return SimpleNamespace()

    def _menu(self, name: str, *, text: str | None = None, icon: str = "NONE") -> None:
        menu = getattr(bpy.types, name)
        self._add_button("menu", name, menu.bl_label if text is None else text, text, icon)

    def _prop(
        self,
        owner: Any,
        name: str,
        *,
        text: str | None = None,
        icon: str = "NONE",
        expand: bool = False,
        emboss: bool = True,
        toggle: int = -1,
        icon_only: bool = False,
        **_: Any,
    ) -> None:
        rna = owner.bl_rna.properties[name]
        assert rna.description, f"{name} has no tooltip"
        label = rna.name if text is None else text
        if not emboss and self.use_property_split:
            self.block.embossed = False
        box = emboss and self.block.embossed
        if rna.type == "ENUM":
            parts = self._choice(label, rna, icon, expand=expand)
        elif rna.type == "BOOLEAN":
            parts = [self._boolean(label, icon)]
        else:
            parts = self._field(label, rna, getattr(owner, name, ""))
        self._add(name if text is None else text, parts, field=emboss, embossed=box)

    def _prop_search(
        self,
        owner: Any,
        name: str,
        _search_in: Any,
        _search_name: str,
        *,
        text: str | None = None,
        icon: str = "NONE",
    ) -> None:
        self._prop(owner, name, text=text, icon=icon)

    def _choice(self, label: str, rna: Any, icon: str, *, expand: bool) -> list[Part]:
        names = [item.name for item in rna.enum_items]
        share = 1 - NAME_SHARE if self.use_property_split else 1.0
        if expand:
            values = [self._part("toggle", name, share=share / len(names)) for name in names]
        else:
            values = [self._part("choice", max(names, key=text_pixels), icon, share=share)]
        if not self.use_property_split:
            return values
        return [self._part("name", label, share=NAME_SHARE), *values]

    def _boolean(self, label: str, icon: str) -> Part:
        if icon != "NONE":
            return self._part("toggle", label, icon)
        if self.use_property_split:
            return self._part("check in a column", label, share=1 - NAME_SHARE)
        return self._part("check", label)

    def _field(self, label: str, rna: Any, value: Any) -> list[Part]:
        if self.use_property_split:
            return [self._part("name", label, share=NAME_SHARE)]
        # Texts, such as paths, are cut off as they have to be. Vectors show values only.
        number = rna.type in ("INT", "FLOAT") and not rna.array_length
        return [self._part("field", f"{label}{value:.3f}" if number else "")]

    def _part(self, kind: str, text: str, icon: str = "NONE", *, share: float = 1.0) -> Part:
        plain, with_icon = BESIDE[kind]
        return Part(text, plain if icon == "NONE" else with_icon, share)

    def _add_button(self, kind: str, name: str, label: str, text: str | None, icon: str) -> None:
        narrow = not label and icon != "NONE"
        parts = [] if narrow else [self._part(kind, label, icon)]
        self._add(text or name, parts, icon=icon, narrow=narrow)

    def _add(self, shown: str, parts: list[Part], **more: Any) -> None:
        self.children.append(Piece(shown, parts, enabled=self.enabled, **more))


def _operator_rna(name: str) -> Any:
    category, operator = name.split(".")
    rna = getattr(getattr(bpy.ops, category), operator).get_rna_type()
    assert rna.description, f"{name} has no tooltip"
    return rna


class SidebarContext:
    """Blender's context in a sidebar of that width."""

    def __init__(self, pixels: int = SIDEBAR_PIXELS) -> None:
        self.region = SimpleNamespace(width=pixels, type="UI")

    def __getattr__(self, name: str) -> Any:
        return getattr(bpy.context, name)


def drawn(cls: Any, context: Any = None, **instance: Any) -> Layout:
    """What a panel, a menu or preferences draw."""
    layout = Layout()
    cls.draw(SimpleNamespace(layout=layout, **instance), context or SidebarContext())
    return layout


def cut_off(cls: Any, **instance: Any) -> list[str]:
    """What of a panel would be cut off in a sidebar."""
    return drawn(cls, **instance).cut(SIDEBAR_PIXELS - SIDEBAR_MARGIN)
