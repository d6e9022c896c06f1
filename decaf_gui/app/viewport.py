"""Where a picture lies in a widget: zoom and pan as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

LEAST, MOST = 0.02, 64.0
"""Zoom goes no further: widget pixels per picture pixel."""


@dataclass(frozen=True, slots=True)
class Viewport:
    """A picture of (height, width) `picture` in a widget of (height, width) `widget`, both in pixels.

    `zoom` is widget pixels per picture pixel; (`x`, `y`) is where the picture's upper left corner lies in the widget.
    While `fitted`, the picture is shown whole whatever the widget's size.
    """

    picture: tuple[int, int]
    widget: tuple[int, int]
    zoom: float = 1.0
    x: float = 0.0
    y: float = 0.0
    fitted: bool = True

    @classmethod
    def fit(cls, picture: tuple[int, int], widget: tuple[int, int]) -> Viewport:
        """The whole picture, as large as it goes, in the middle."""
        height, width = picture
        zoom = max(LEAST, min(MOST, widget[0] / height, widget[1] / width))
        return cls(picture, widget, zoom, (widget[1] - zoom * width) / 2, (widget[0] - zoom * height) / 2, True)

    def resized(self, widget: tuple[int, int]) -> Viewport:
        """In a widget of another size: fitted again, or the same point in the middle."""
        if self.fitted:
            return Viewport.fit(self.picture, widget)
        dx, dy = (widget[1] - self.widget[1]) / 2, (widget[0] - self.widget[0]) / 2
        return replace(self, widget=widget, x=self.x + dx, y=self.y + dy)._kept_in_sight()

    def zoomed(self, factor: float, at: tuple[float, float]) -> Viewport:
        """Zoomed by `factor`; the picture's point under the widget's point `at` stays there."""
        zoom = max(LEAST, min(MOST, self.zoom * factor))
        px, py = self.to_picture(*at)
        return replace(self, zoom=zoom, x=at[0] - px * zoom, y=at[1] - py * zoom, fitted=False)._kept_in_sight()

    def panned(self, dx: float, dy: float) -> Viewport:
        """Moved by widget pixels."""
        return replace(self, x=self.x + dx, y=self.y + dy, fitted=False)._kept_in_sight()

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """Picture coordinates of a widget's point; (0.5, 0.5) is the centre of the upper left pixel."""
        return (x - self.x) / self.zoom, (y - self.y) / self.zoom

    def to_widget(self, x: float, y: float) -> tuple[float, float]:
        """A widget's point of picture coordinates."""
        return x * self.zoom + self.x, y * self.zoom + self.y

    def inside(self, x: float, y: float) -> bool:
        """Whether a widget's point lies on the picture."""
        px, py = self.to_picture(x, y)
        return 0 <= px < self.picture[1] and 0 <= py < self.picture[0]

    @property
    def visible(self) -> tuple[int, int, int, int]:
        """The picture's pixels that can be seen: (x0, y0, x1, y1), the last ones excluded; empty is (0, 0, 0, 0)."""
        left, top = self.to_picture(0, 0)
        right, bottom = self.to_picture(self.widget[1], self.widget[0])
        x0, y0 = max(0, int(left)), max(0, int(top))
        x1, y1 = min(self.picture[1], int(right) + 1), min(self.picture[0], int(bottom) + 1)
        return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else (0, 0, 0, 0)

    def _kept_in_sight(self) -> Viewport:
        """Some of the picture always stays in the widget, a fifth of the smaller side at least."""
        height, width = (side * self.zoom for side in self.picture)
        margin = min(width, height, *self.widget) / 5
        x = min(max(self.x, margin - width), self.widget[1] - margin)
        y = min(max(self.y, margin - height), self.widget[0] - margin)
        return replace(self, x=x, y=y)
