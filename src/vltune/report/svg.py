"""Charts as parts of a page: matplotlib's SVG with values under the pointer, in the page's colours.

Colours become CSS variables, so that one chart is readable on light and on dark paper. Ids get a prefix, as a
page holds several charts; numbers are rounded to a hundredth of a point.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vltune.report.panels import HOVER
from vltune.report.style import GRID, INK, PALETTE, STYLE

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
PAPER = "#ffffff"
VARIABLES = {INK: "ink", GRID: "grid", PAPER: "card", **{colour: f"c{i}" for i, colour in enumerate(PALETTE)}}
PAGE_STYLE = {
    **STYLE, "svg.fonttype": "none", "svg.hashsalt": "vltune", "font.size": 10, "text.color": INK,
    "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.facecolor": "none", "figure.dpi": 72, "savefig.dpi": 72,
}
NUMBER = re.compile(r"\d+\.\d{3,}")
LEFT_TO_THE_PAGE = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>|font-family: [^;\"]*; ?", re.DOTALL)


def chart(name: str, label: str, width: float, height: float, draw: Callable[[list[Axes]], None],
          columns: tuple[float, ...] = (1.0,)) -> Markup:
    """Draw panels beside each other that share their y axis, and give them as inline SVG.

    Args: name, of the chart on its page; label, what it shows, for those who do not see it; width and height,
        inches; columns, the relative widths of the panels.
    """
    with mpl.rc_context({**mpl.rcParamsDefault, "backend": "svg", **PAGE_STYLE}):
        drawing = Figure(figsize=(width, height), layout="constrained")
        axes = drawing.subplots(1, len(columns), sharey=True, squeeze=False, width_ratios=columns)[0].tolist()
        draw(axes)
        content = io.StringIO()
        drawing.savefig(content, format="svg", transparent=True,
                        metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return inline(content.getvalue(), name, label)


def legend(axes: Axes, columns: int = 3) -> None:
    """Draw the legend below the whole figure."""
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=columns,
                       columnspacing=1.2, handletextpad=0.4)


def inline(text: str, name: str, label: str) -> Markup:
    """Make matplotlib's SVG a part of a page."""
    root = ElementTree.fromstring(text)
    used = {reference for element in root.iter() for value in element.attrib.values()
            for reference in re.findall(r"(?:url\()?#([\w-]+)", value)}
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{SVG}}}metadata":
                parent.remove(child)
    for element in root.iter():
        _identify(element, name, used)
    viewed = root.get("viewBox")
    root.attrib.clear()
    root.attrib.update({"viewBox": viewed, "role": "img", "aria-label": label})
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return Markup(_slim(ElementTree.tostring(root, encoding="unicode")))  # matplotlib escaped every text


def _identify(element: ElementTree.Element, name: str, used: set[str]) -> None:
    """Turn an id that holds a value into a title; prefix the others, and drop what nothing refers to."""
    own = element.attrib.pop("id", "")
    if own.startswith(HOVER):
        element.set("class", "value")
        title = ElementTree.Element(f"{{{SVG}}}title")
        title.text = own.removeprefix(HOVER)
        element.insert(0, title)
    elif own in used:
        element.set("id", f"{name}-{own}")
    for key, value in element.attrib.items():
        value = NUMBER.sub(_rounded, value)
        element.set(key, value)
        if key == f"{{{XLINK}}}href" and value.startswith("#"):
            element.set(key, f"#{name}-{value[1:]}")
        elif "url(#" in value:
            element.set(key, value.replace("url(#", f"url(#{name}-"))


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}"


def _slim(text: str) -> str:
    """Leave fonts to the page, and replace colours by the page's variables."""
    text = re.sub(r'<svg xmlns="[^"]*" xmlns:xlink="[^"]*"', "<svg", text)
    text = LEFT_TO_THE_PAGE.sub("", text)
    for colour, variable in VARIABLES.items():
        text = re.sub(rf"{colour}(?![0-9a-f])", f"var(--{variable})", text, flags=re.IGNORECASE)
    return re.sub(r">\s+<", "><", re.sub(r" {2,}", " ", text))
