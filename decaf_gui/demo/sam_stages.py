"""The curriculum of the tiny SAM2's training, as data: what each stage shows, how large, and how fast it learns."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

Size = tuple[int, int]
SMALL_CLIPS: tuple[Size, ...] = ((120, 160), (128, 128), (108, 192), (160, 120))
LARGE_CLIPS: tuple[Size, ...] = ((240, 320), (240, 320), (240, 240), (216, 384), (320, 240), (180, 240))


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training.

    The model sees squares of `image_size` pixels, made from clips drawn in one of the sizes `drawn` (H, W). A step is
    `videos` times out of one `clips` clips of `lengths` (least, most) frames with `tracked` objects each (in shares
    `leaving`, `returning` and `crossing` of them one goes away, goes and comes back, meets another and parts from it;
    in `shuffled`, `lost` and `flickering` frames are in any order or one is often gone, see `sam_data.Wanted`),
    else `pictures` pictures; shares `medium` and `lookalikes` of them are of these levels, the others kind. Objects
    that are prompted cover at least a share `least` of their picture. `ripe` are the least points of the loss schedule
    (0 to 1, see `mask_losses`) for pictures and for clips. `rate` is the highest learning rate; it falls over the
    stage.
    `keep` is what the average of the weights keeps in a step, `boxes` the share of first prompts that are boxes.
    `corrections` are the shares of pictures and of clips with correcting clicks on top; on pictures these are `plain`
    second clicks, or else a share `given` of them corrects a given mask, which is in `own` of the cases the model's own
    and else a spoiled truth. Objects that are gone weigh `absent_weight` in the loss of presence. In half of the clips
    memory is told what is present; of a share `denied` of the objects there, it is told from some frame on that they
    are not. As the stage begins, what makes memory attend to the same place is multiplied by `near`.
    """

    name: str
    steps: int
    image_size: int
    drawn: tuple[Size, ...]
    rate: float
    videos: float = 0.0
    pictures: int = 16
    clips: int = 4
    lengths: tuple[int, int] = (3, 6)
    tracked: int = 4
    leaving: float = 0.5
    returning: float = 0.0
    crossing: float = 0.0
    shuffled: float = 0.0
    lost: float = 0.0
    flickering: float = 0.0
    medium: float = 0.0
    lookalikes: float = 0.0
    least: float = 5e-4
    ripe: tuple[float, float] = (0.0, 0.41)
    keep: float = 0.99
    boxes: float = 0.33
    corrections: tuple[float, float] = (0.0, 0.0)
    plain: bool = False
    given: float = 0.45
    own: float = 0.5
    absent_weight: float = 1.5
    denied: float = 0.0
    fits_memory: bool = False
    fits_masks: bool = False
    near: float = 1.0


IMAGE = Stage(
    "image", 1200, 128, SMALL_CLIPS, 1e-3, lookalikes=0.3, least=3e-3, boxes=0.2, corrections=(0.5, 0.0), plain=True
)
"""With corrections that are to be obeyed from the beginning, first clicks were not looked at in 450 steps."""
VIDEO = Stage(
    "video",
    1600,
    128,
    SMALL_CLIPS,
    6e-4,
    videos=0.7,
    lookalikes=0.3,
    least=3e-3,
    ripe=(0.8, 0.2),
    boxes=0.2,
    corrections=(1.0, 0.0),
    plain=True,
    fits_memory=True,
)
LONG = replace(
    VIDEO,
    name="long",
    steps=1400,
    videos=0.8,
    lengths=(4, 9),
    leaving=0.15,
    returning=0.25,
    crossing=0.2,
    shuffled=0.4,
    ripe=(0.8, 0.6),
    absent_weight=1.0,
    fits_memory=False,
)
"""In short stretches little comes back or crosses: what had gone stayed gone, and what had crossed was joined."""
FINE = Stage(
    "fine",
    1500,
    192,
    LARGE_CLIPS,
    4e-4,
    videos=0.5,
    pictures=12,
    lengths=(4, 9),
    tracked=3,
    leaving=0.2,
    lost=0.3,
    crossing=0.2,
    shuffled=0.2,
    medium=0.1,
    lookalikes=0.3,
    ripe=(0.8, 0.8),
    keep=0.997,
    boxes=0.4,
    corrections=(1.0, 0.4),
    given=0.5,
    own=0.6,
    absent_weight=1.0,
    fits_masks=True,
)
"""Tracking carries over to the larger size by itself; correcting clicks are what takes long. Without lookalikes a click
on one of two shapes of a colour often gave both."""
RETURN = replace(
    FINE,
    name="return",
    steps=500,
    rate=3e-4,
    videos=0.8,
    lengths=(5, 9),
    leaving=0.1,
    returning=0.2,
    lost=0.05,
    flickering=0.3,
    crossing=0.2,
    shuffled=0.05,
    keep=0.995,
    denied=0.3,
    fits_masks=False,
    near=0.35,
)
"""Memory attended to the same place of the last frame alone, and what came in again elsewhere was not found: so sharp
an attention has no gradient that could lead it to the frame that was prompted. Here an object is often seen right
after a frame without it."""
STAGES = (IMAGE, VIDEO, LONG, FINE, RETURN)
WARM = 50


def lengthened(times: float) -> tuple[Stage, ...]:
    """The curriculum with `times` as many steps in each stage: what it learns still improves with more."""
    return tuple(replace(stage, steps=max(1, round(stage.steps * times))) for stage in STAGES)


def stage_at(stages: tuple[Stage, ...], step: int) -> tuple[int, float]:
    """The stage of a step, by its place, and how far it has come: [0, 1). After the last step: the last one, 1."""
    for place, stage in enumerate(stages):
        if step < stage.steps:
            return place, step / stage.steps
        step -= stage.steps
    return len(stages) - 1, 1.0


def begin_of(stages: tuple[Stage, ...], name: str) -> int:
    """The first step of the stage called `name`."""
    places = [stage.name for stage in stages].index(name)
    return sum(stage.steps for stage in stages[:places])


def learning_rate(stage: Stage, progress: float) -> float:
    """Warm-up over the first `WARM` steps of the stage, and half a cosine down to 6 %."""
    warm = min(1.0, (progress * stage.steps + 1) / WARM)
    return stage.rate * warm * (0.06 + 0.94 * (1 + math.cos(math.pi * progress)) / 2)
