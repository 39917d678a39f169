"""Charts as inline SVG, coloured by the style sheet, with a description for screen readers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from microtome.report.words import Number

WIDTH = 390
HEIGHT = 225
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 16, 40
MOST_TICKS = 13
LEAST_APART = 16


@dataclass(frozen=True)
class Scale:
    """A linear map from [low, high] to [start, stop] in pixels."""

    low: Number
    high: Number
    start: Number
    stop: Number

    def __call__(self, value: Number) -> float:
        """The place of a value, in pixels."""
        span = self.high - self.low
        part = 0.5 if span == 0 else (value - self.low) / span
        return self.start + part * (self.stop - self.start)


@dataclass(frozen=True)
class Bar:
    """One bin of a histogram: from `low` to `high`, `height` tall."""

    low: Number
    high: Number
    height: Number


@dataclass(frozen=True)
class Mark:
    """A labelled vertical line."""

    at: Number
    label: str


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes
    ----------
    points:
        (x, y) by rising x.
    style:
        Class of its looks: `c-one` (solid, round dots) or `c-two` (dashed, square dots).
    spread:
        (x, low, high): an interval as a whisker, where one is known.
    """

    points: Sequence[tuple[Number, Number]]
    style: str = "c-one"
    spread: Sequence[tuple[Number, Number, Number]] = ()


def nice_ticks(low: Number, high: Number, *, most: int = 5) -> list[Number]:
    """Round values between two ends, at steps of 1, 2 or 5 times a power of ten; about `most` of them."""
    span = high - low
    if span <= 0:
        return [low]
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(step * k, 10) for k in range(first, last + 1)]


def line_chart(
    points: Sequence[tuple[Number, Number]], *, x_name: str, y_name: str, label: str, digits: int = 3
) -> Markup:
    """A line through points with a dot and its value at each.

    Parameters
    ----------
    points:
        (x, y) by rising x; y >= 0. At least one.
    x_name, y_name:
        What the axes mean.
    label:
        What the chart says, for those who cannot see it.
    digits:
        Decimals of the values at the dots.
    """
    xs, ys = [x for x, _ in points], [y for _, y in points]
    across = Scale(min(xs), max(xs), LEFT + 20, WIDTH - RIGHT - 20)
    up = Scale(0, max(*ys, 1e-9) * 1.15, HEIGHT - BOTTOM, TOP)
    pieces = [_frame(up, x_name, y_name)]
    pieces += [_x_tick(across(x), f"{x:g}") for x in xs]
    path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
    pieces.append(f'<polyline class="c-line" points="{path}"/>')
    for x, y in points:
        pieces.append(f'<circle class="c-dot" cx="{across(x):.1f}" cy="{up(y):.1f}" r="4"/>')
        pieces.append(f'<text class="c-value" x="{across(x):.1f}" y="{up(y) - 9:.1f}">{y:.{digits}f}</text>')
    return _svg(pieces, label)


def lines_chart(
    lines: Sequence[Line], *, x_name: str, y_name: str, label: str, band: Sequence[tuple[Number, Number, Number]] = (),
    level: Mark | None = None, top: Number | None = None, doubling: bool = False,
) -> Markup:  # fmt: skip
    """Several lines over one axis, with a shaded band and a labelled level.

    Parameters
    ----------
    lines:
        At least one with a point; y >= 0.
    x_name, y_name, label:
        As in `line_chart`.
    band:
        (x, low, high) by rising x: a shaded stretch, such as what chance reaches.
    level:
        A labelled horizontal line.
    top:
        Upper end of the y axis; default: a little above the largest value.
    doubling:
        Whether equal steps along the x axis are doublings; x > 0 then.
    """
    xs = sorted({x for line in lines for x, _ in line.points} | {x for x, _, _ in band})
    ys = [y for line in lines for _, y in line.points] + [high for line in lines for _, _, high in line.spread]
    ys += [high for _, _, high in band] + ([level.at] if level else [])
    ends = (LEFT + 12, WIDTH - RIGHT - 12)
    across = _doubling(xs[0], xs[-1], *ends) if doubling else Scale(xs[0], xs[-1], *ends)
    up = Scale(0, top if top is not None else max(*ys, 1e-9) * 1.1, HEIGHT - BOTTOM, TOP)
    pieces = []
    if len(band) > 1:
        edge = [(x, high) for x, _, high in band] + [(x, low) for x, low, _ in reversed(band)]
        pieces.append(f'<polygon class="c-luck" points="{_path(edge, across, up)}"/>')
    pieces.append(_frame(up, x_name, y_name))
    ticks = xs if len(xs) <= MOST_TICKS else [x for x in nice_ticks(xs[0], xs[-1], most=8) if x == int(x)]
    pieces += [_x_tick(across(x), f"{x:g}") for x in _apart(ticks, across)]
    if level is not None:
        y = up(level.at)
        pieces.append(f'<line class="c-level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        place = f'x="{LEFT + 6}" y="{min(y - 5, TOP + 2):.1f}"'
        pieces.append(f'<text class="c-marklabel" {place}>{escape(level.label)}</text>')
    for line in lines:
        pieces.append(_line(line, across, up))
    return _svg(pieces, label)


def _apart(ticks: Sequence[Number], across: Callable[[Number], float]) -> list[Number]:
    """Those ticks whose numbers do not run into the one before."""
    kept: list[Number] = []
    for tick in ticks:
        if not kept or across(tick) - across(kept[-1]) >= LEAST_APART:
            kept.append(tick)
    return kept


def _doubling(low: Number, high: Number, start: Number, stop: Number) -> Callable[[Number], float]:
    scale = Scale(math.log2(low), math.log2(high), start, stop)
    return lambda value: scale(math.log2(value))


def _path(points: Sequence[tuple[Number, Number]], across: Callable[[Number], float], up: Scale) -> str:
    return " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)


def _line(line: Line, across: Callable[[Number], float], up: Scale) -> str:
    pieces = []
    for x, low, high in line.spread:
        place = f'x1="{across(x):.1f}" x2="{across(x):.1f}" y1="{up(low):.1f}" y2="{up(high):.1f}"'
        pieces.append(f'<line class="c-whisker" {place}/>')
    pieces.append(f'<polyline class="c-path" points="{_path(line.points, across, up)}"/>')
    for x, y in line.points:
        if line.style == "c-two":
            pieces.append(f'<rect class="c-spot" x="{across(x) - 3:.1f}" y="{up(y) - 3:.1f}" width="6" height="6"/>')
        else:
            pieces.append(f'<circle class="c-spot" cx="{across(x):.1f}" cy="{up(y):.1f}" r="3.2"/>')
    return f'<g class="{line.style}">{"".join(pieces)}</g>'


def grouped_bars(
    groups: Sequence[tuple[str, Sequence[tuple[Number, str]]]], *, x_name: str, y_name: str, label: str
) -> Markup:
    """Bars side by side in named groups.

    Parameters
    ----------
    groups:
        Name below the group, and its bars: (height >= 0, class of its looks: `c-bar` or `c-bar c-chance`).
    x_name, y_name, label:
        As in `line_chart`.
    """
    heights = [height for _, bars in groups for height, _ in bars]
    up = Scale(0, max(*heights, 1e-9) * 1.08, HEIGHT - BOTTOM, TOP)
    width = (WIDTH - LEFT - RIGHT) / len(groups)
    every = -(-len(groups) // MOST_TICKS)
    pieces = [_frame(up, x_name, y_name)]
    for place, (name, bars) in enumerate(groups):
        left, each = LEFT + width * (place + 0.12), width * 0.76 / max(len(bars), 1)
        for number, (height, style) in enumerate(bars):
            ends = Scale(0, 1, left + each * number, left + each * (number + 1))
            pieces.append(_bar(Bar(0, 1, height), ends, up, style))
        if place % every == 0:
            pieces.append(_x_tick(LEFT + width * (place + 0.5), str(escape(name))))
    return _svg(pieces, label)


@dataclass(frozen=True)
class Dot:
    """One dot of a scatter plot: where it lies, and what a reader sees who points at it."""

    x: Number
    y: Number
    name: str


def scatter(dots: Sequence[Dot], *, x_name: str, y_name: str, label: str, top: Number | None = None) -> Markup:
    """Dots over two axes that start at 0.

    Parameters
    ----------
    dots:
        At least one; x and y >= 0.
    x_name, y_name, label:
        As in `line_chart`.
    top:
        Upper end of the y axis; default: a little above the largest value.
    """
    across = Scale(0, max(*(dot.x for dot in dots), 1e-9) * 1.05, LEFT, WIDTH - RIGHT)
    highest = max(*(dot.y for dot in dots), 1e-9) * 1.08
    up = Scale(0, highest if top is None else top, HEIGHT - BOTTOM, TOP)
    pieces = [_frame(up, x_name, y_name)]
    pieces += [_x_tick(across(tick), f"{tick:g}") for tick in nice_ticks(0, across.high, most=6)]
    for dot in dots:
        place = f'cx="{across(dot.x):.1f}" cy="{up(dot.y):.1f}"'
        pieces.append(f'<circle class="c-one-of-many" {place} r="3.2"><title>{escape(dot.name)}</title></circle>')
    return _svg(pieces, label)


def histogram(
    bars: Sequence[Bar],
    *,
    outline: Sequence[Bar] = (),
    marks: Sequence[Mark] = (),
    band: tuple[Number, Number] | None = None,
    x_name: str,
    y_name: str,
    label: str,
    height: int = HEIGHT,
    y_ticks: bool = True,
    style: str = "c-bar",
) -> Markup:
    """Filled bars, a second histogram as an outline behind them, marked values and a shaded band.

    Parameters
    ----------
    bars, outline:
        Bins by rising `low`. Both share the axes, so their heights must be in one unit.
    marks:
        Labelled vertical lines.
    band:
        (low, high) of a shaded stretch of the x axis.
    x_name, y_name, label:
        As in `line_chart`.
    height:
        Pixels.
    y_ticks:
        Whether the y axis has numbers.
    style:
        Class of the bars: `c-bar` (the unit's colour) or `c-bar c-chance`.
    """
    everything = [*bars, *outline]
    low = min([*(b.low for b in everything), *(m.at for m in marks)])
    high = max([*(b.high for b in everything), *(m.at for m in marks)])
    across = Scale(low, high, LEFT, WIDTH - RIGHT)
    up = Scale(0, max(*(b.height for b in everything), 1e-9) * 1.08, height - BOTTOM, TOP + 14 * bool(marks))
    pieces = []
    if band is not None:
        start, stop = across(max(band[0], low)), across(min(band[1], high))
        box = f'x="{start:.1f}" y="{TOP}" width="{max(stop - start, 1):.1f}" height="{height - BOTTOM - TOP}"'
        pieces.append(f'<rect class="c-band" {box}/>')
    pieces.append(_frame(up, x_name, y_name, height=height, ticks=y_ticks))
    pieces += [_x_tick(across(t), f"{t:g}", height=height) for t in nice_ticks(low, high, most=6)]
    if outline:
        pieces.append(_steps(outline, across, up))
    pieces += [_bar(bar, across, up, style) for bar in bars if bar.height > 0]
    pieces += _marks(marks, across, height)
    return _svg(pieces, label, height=height)


def _bar(bar: Bar, across: Scale, up: Scale, style: str) -> str:
    left, right, top = across(bar.low), across(bar.high), up(bar.height)
    width = max(right - left - 1, 0.8)
    return f'<rect class="{style}" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{up(0) - top:.1f}"/>'


def _steps(bars: Sequence[Bar], across: Scale, up: Scale) -> str:
    path = [f"M{across(bars[0].low):.1f},{up(0):.1f}"]
    for bar in bars:
        path.append(f"V{up(bar.height):.1f}H{across(bar.high):.1f}")
    path.append(f"V{up(0):.1f}Z")
    return f'<path class="c-outline" d="{"".join(path)}"/>'


def _marks(marks: Sequence[Mark], across: Scale, height: int) -> list[str]:
    pieces = []
    for mark in marks:
        x = across(mark.at)
        side = "end" if x > WIDTH / 2 else "start"
        shift = -6 if side == "end" else 6
        pieces.append(
            f'<line class="c-mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 4}" y2="{height - BOTTOM}"/>'
            f'<text class="c-marklabel" x="{x + shift:.1f}" y="{TOP + 6}" text-anchor="{side}">'
            f"{escape(mark.label)}</text>"
        )
    return pieces


def _frame(up: Scale, x_name: str, y_name: str, *, height: int = HEIGHT, ticks: bool = True) -> str:
    pieces = []
    for tick in nice_ticks(up.low, up.high, most=4) if ticks else ():
        y = up(tick)
        pieces.append(f'<line class="c-grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        pieces.append(f'<text class="c-tick" x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    base = height - BOTTOM
    pieces.append(f'<line class="c-axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    pieces.append(f'<text class="c-name" x="{middle}" y="{height - 6}">{escape(x_name)}</text>')
    pieces.append(
        f'<text class="c-name" transform="translate(11 {(TOP + base) / 2:.0f}) rotate(-90)">{escape(y_name)}</text>'
    )
    return "".join(pieces)


def _x_tick(x: Number, text: str, *, height: int = HEIGHT) -> str:
    return f'<text class="c-tick" x="{x:.1f}" y="{height - BOTTOM + 16}" text-anchor="middle">{text}</text>'


def _svg(pieces: Sequence[str], label: str, *, height: int = HEIGHT) -> Markup:
    text = escape(label)
    head = f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{text}">'
    # Everything inside is made of numbers, class names from code, and text that went through `escape`.
    return Markup(f"{head}{''.join(pieces)}</svg>")
