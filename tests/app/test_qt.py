"""The installed Qt binding itself, where a release of it was broken."""

from __future__ import annotations

import sys

import pytest
from PySide6.QtGui import QColor, QPen


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal")
def test_calls_without_a_result_do_not_lose_none():
    """PySide6 6.12.0 drops a reference to None with every such call: after some ten thousand, Python aborts."""
    pen = QPen(QColor(1, 2, 3))
    pen.setWidth(1)
    before = sys.getrefcount(None)
    for _ in range(1000):
        pen.setWidth(1)
    assert abs(sys.getrefcount(None) - before) < 100
