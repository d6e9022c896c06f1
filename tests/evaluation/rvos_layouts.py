"""The synthetic set in the original layout of each benchmark, and predictions as their scripts want them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco
from synthetic_set import FRAMES, SHAPES, prediction, truth

Labels = NDArray[np.uint8]
NAMES = tuple(f"{5 * t:05d}" for t in range(FRAMES))
"""Frames are numbered as in YouTube-VOS: each fifth one is listed, others lie beside them."""
ANNOTATIONS = {("synthseq-a", 1): 10, ("synthseq-a", 2): 11, ("synthseq-b", 1): 12, ("synthseq-b", 2): 13}
MEVIS_OBJECTS = {"0": (1,), "1": (2,), "2": (1, 2)}
"""The golden values' expressions of MeViS and ReVOS."""


def rle(mask: NDArray[Any]) -> dict[str, Any]:
    packed = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": packed["counts"].decode("ascii")}


def tracks() -> dict[str, list[Any]]:
    """mask_dict.json: null where an object is not seen."""
    return {
        str(number): [rle(m == k) if (m == k).any() else None for m in (truth(name, t) for t in range(FRAMES))]
        for (name, k), number in ANNOTATIONS.items()
    }


def write_json(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def write_png(path: Path, pixels: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def write_frames(folder: Path, name: str) -> None:
    """The listed frames, and one beside them that no list names."""
    folder.mkdir(parents=True)
    for t, frame in enumerate(NAMES):
        Image.fromarray(truth(name, t) * 100).save(folder / f"{frame}.jpg")
    Image.fromarray(np.zeros(SHAPES[name], np.uint8)).save(folder / "00001.jpg")


def write_annotations(folder: Path, name: str) -> None:
    for t, frame in enumerate(NAMES):
        write_png(folder / f"{frame}.png", truth(name, t))


def expressions(ids: Mapping[str, Any]) -> dict[str, Any]:
    return {"frames": list(NAMES), "expressions": dict(ids)}


def mevis(root: Path, split: str = "valid_u") -> Path:
    videos = {}
    for name in SHAPES:
        write_frames(root / split / "JPEGImages" / name, name)
        numbers = {e: [ANNOTATIONS[name, k] for k in ks] for e, ks in MEVIS_OBJECTS.items()}
        videos[name] = expressions(
            {
                e: {"exp": f"thing {e}", "obj_id": [k - 1 for k in MEVIS_OBJECTS[e]], "anno_id": numbers[e]}
                for e in numbers
            }
        )
    if split == "valid":
        videos = {
            n: {**v, "expressions": {e: {"exp": x["exp"]} for e, x in v["expressions"].items()}}
            for n, v in videos.items()
        }
    else:
        write_json(root / split / "mask_dict.json", tracks())
    write_json(root / split / "meta_expressions.json", {"videos": videos})
    return root


def revos_name(name: str) -> str:
    return f"UVO/all/-{name}"


def revos(root: Path) -> Path:
    videos, foreground = {}, {}
    for name in SHAPES:
        write_frames(root / "JPEGImages" / revos_name(name), name)
        given = {
            e: {"exp": f"thing {e}", "obj_id": [0], "anno_id": [ANNOTATIONS[name, k] for k in ks], "type_id": kind}
            for (e, ks), kind in zip(MEVIS_OBJECTS.items(), (0, 1, 0), strict=True)
        }
        given["3"] = {"exp": "an elephant", "type_id": 2}
        videos[revos_name(name)] = expressions(given)
        foreground[revos_name(name)] = {"masks_rle": [rle(truth(name, t) > 0) for t in range(FRAMES)]}
    write_json(root / "meta_expressions_valid_.json", {"videos": videos})
    write_json(root / "mask_dict.json", tracks())
    write_json(root / "mask_dict_foreground.json", foreground)
    return root


def reason_vos(root: Path) -> Path:
    videos = {}
    for name in SHAPES:
        write_frames(root / "JPEGImages" / name, name)
        for k in (1, 2):
            for t, frame in enumerate(NAMES):
                write_png(root / "Annotations" / f"mose_{name}_{k}" / f"{frame}.png", (truth(name, t) == k) * 255)
        listed = [{"exp_id": k - 1, "obj_id": k, "exp_text": f"thing {k}", "is_sent": k == 2} for k in (1, 2)]
        videos[name] = {"source": "mose", "frames": list(NAMES), "expressions": listed}
    write_json(root / "meta_expressions.json", {"videos": videos})
    return root


def ref_davis(root: Path) -> Path:
    videos = {}
    for name in SHAPES:
        write_frames(root / "valid/JPEGImages" / name, name)
        write_annotations(root / "valid/Annotations" / name, name)
        videos[name] = expressions({str(i): {"exp": f"thing {i}", "obj_id": str(1 + i // 4)} for i in range(8)})
    write_json(root / "meta_expressions/valid/meta_expressions.json", {"videos": videos})
    return root


def ref_youtube_vos(root: Path) -> Path:
    given = {str(k - 1): {"exp": f"thing {k}", "obj_id": str(k)} for k in (1, 2)}
    for split in ("train", "valid"):
        for name in SHAPES:
            write_frames(root / split / "JPEGImages" / name, name)
            if split == "train":
                write_annotations(root / split / "Annotations" / name, name)
        told = given if split == "train" else {i: {"exp": e["exp"]} for i, e in given.items()}
        videos = {name: expressions(told) for name in SHAPES}
        write_json(root / "meta_expressions" / split / "meta_expressions.json", {"videos": videos})
    return root


BUILDERS = {
    "mevis": mevis,
    "revos": revos,
    "reason-vos": reason_vos,
    "ref-davis": ref_davis,
    "ref-youtube-vos": ref_youtube_vos,
}


def prediction_folders(dataset: str) -> Iterator[tuple[str, str, tuple[int, ...], str]]:
    """(folder, sequence, objects, expression) of every expression, written down by hand for each layout."""
    for name in SHAPES:
        if dataset in ("mevis", "revos"):
            video = revos_name(name) if dataset == "revos" else name
            yield from ((f"{video}/{e}", name, ks, e) for e, ks in MEVIS_OBJECTS.items())
        elif dataset == "reason-vos":
            yield from ((f"mose_{name}_{k}/{k - 1}", name, (k,), f"{k}/{k - 1}") for k in (1, 2))
        elif dataset == "ref-davis":
            yield from ((f"{name}/{i}", name, (1 + i // 4,), str(i)) for i in range(8))
        else:
            yield from ((f"{name}/{k - 1}", name, (k,), str(k - 1)) for k in (1, 2))


def predictions(root: Path, dataset: str, kind: str | Mapping[str, str], ink: int = 255) -> Path:
    """Masks of a disturbance of the truth; for each expression its own when `kind` is a mapping."""
    for folder, name, ks, e in prediction_folders(dataset):
        chosen = kind if isinstance(kind, str) else kind[e]
        for t, frame in enumerate(NAMES):
            write_png(root / folder / f"{frame}.png", np.isin(prediction(chosen, name, t), ks) * ink)
    return root
