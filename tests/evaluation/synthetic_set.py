"""The synthetic set that the golden values were computed on: two sequences of six frames, two objects each."""

from __future__ import annotations

import cv2
import numpy as np

FRAMES = 6
SHAPES = {"synthseq-a": (120, 160), "synthseq-b": (240, 427)}


def truth(sequence: str, t: int, *, ghost: bool = False) -> np.ndarray:
    """Label map: 0, 1, 2."""
    height, width = SHAPES[sequence]
    rows, columns = np.ogrid[:height, :width]
    labels = np.zeros((height, width), np.uint8)
    if sequence == "synthseq-a":
        labels[30:70, 20 + 6 * t : 65 + 6 * t] = 1
        labels[(columns - 110 + 8 * t) ** 2 + (rows - 60 - 2 * t) ** 2 <= 22**2] = 2
        return labels
    labels[((columns - 120 - 10 * t) * 40) ** 2 + ((rows - 110) * 60) ** 2 <= 2400**2] = 1
    if ghost or t not in (2, 3):
        labels[180:, 330 + 4 * t :] = 2
    return labels


def prediction(kind: str, sequence: str, t: int) -> np.ndarray:
    """The truth under one known disturbance."""
    labels = truth(sequence, t, ghost=kind == "ghost")
    if kind == "shift":
        return np.pad(labels, ((2, 0), (3, 0)))[: labels.shape[0], : labels.shape[1]]
    if kind == "erosion":
        eroded = np.zeros_like(labels)
        for k in (1, 2):
            own = (labels == k).astype(np.uint8)
            eroded[cv2.erode(own, np.ones((5, 5)), borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0] = k
        return eroded
    if kind == "missing":
        return np.where(labels == 2, 0, labels).astype(np.uint8)
    if kind == "swap":
        return np.array([0, 2, 1], np.uint8)[labels]
    return labels
