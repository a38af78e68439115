"""Words for what is in a picture, as far as an ImageNet classifier and a detector of faces know it.

There is no model of language here: a word is looked up among the names of the classifier's 1000 classes, and
among some general words that stand for many of these.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from semantic_guidance.core.guidance import Instance
from semantic_guidance.core.threads import torch_threads
from semantic_guidance.guidance.classifier import imagenet_classifier, imagenet_labels
from semantic_guidance.guidance.efficientnet import normalise
from semantic_guidance.guidance.recognition import VIEW_SIDE, object_view
from semantic_guidance.images.arrays import resize

PEOPLE = frozenset({"person", "human", "man", "woman", "child", "boy", "girl"})
"""Words for who has a face."""

LEAST = 0.25
"""Probability of a word's classes together from which on an object is called so."""

LONGEST = 80
"""Letters of a text."""

Classes = tuple[tuple[int, int], ...]
"""Ranges of classes, the last of each included."""

GENERAL: dict[str, Classes] = {
    "animal": ((0, 397),),
    "bird": ((7, 24), (80, 100), (127, 146)),
    "fish": ((0, 6), (389, 397)),
    "shark": ((2, 4),),
    "reptile": ((33, 68),),
    "turtle": ((33, 37),),
    "lizard": ((38, 48),),
    "snake": ((52, 68),),
    "frog": ((30, 32),),
    "insect": ((300, 326),),
    "beetle": ((300, 307),),
    "butterfly": ((321, 326),),
    "spider": ((72, 77),),
    "crab": ((118, 121), (125, 125)),
    "duck": ((97, 98),),
    "owl": ((24, 24),),
    "parrot": ((87, 90),),
    "dog": ((151, 268), (273, 275)),
    "puppy": ((151, 268),),
    "wolf": ((269, 271),),
    "fox": ((277, 280),),
    "cat": ((281, 293), (383, 383)),
    "kitten": ((281, 285),),
    "bear": ((294, 297),),
    "rabbit": ((330, 332),),
    "squirrel": ((335, 335),),
    "horse": ((339, 339), (603, 603)),
    "zebra": ((340, 340),),
    "pig": ((341, 343),),
    "cow": ((345, 347),),
    "cattle": ((345, 347),),
    "sheep": ((348, 349),),
    "goat": ((348, 350),),
    "deer": ((351, 353),),
    "antelope": ((351, 353),),
    "camel": ((354, 355),),
    "monkey": ((365, 384),),
    "ape": ((365, 369),),
    "elephant": ((101, 101), (385, 386)),
    "panda": ((387, 388),),
    "whale": ((147, 148),),
    "seal": ((149, 150),),
    "penguin": ((145, 145),),
    "vehicle": ((403, 408), (436, 436), (444, 444), (466, 466), (468, 468), (511, 511), (547, 547),
                (555, 555), (565, 565), (569, 569), (573, 573), (575, 575), (586, 586), (609, 609),
                (627, 627), (654, 654), (656, 656), (661, 661), (665, 665), (670, 671), (675, 675),
                (705, 705), (717, 717), (734, 734), (751, 751), (757, 757), (779, 779), (802, 803),
                (817, 817), (820, 820), (829, 829), (847, 847), (864, 864), (866, 867), (870, 870),
                (874, 874), (880, 880)),
    "car": ((407, 407), (436, 436), (468, 468), (511, 511), (609, 609), (627, 627), (654, 654), (656, 656),
            (661, 661), (717, 717), (734, 734), (751, 751), (817, 817)),
    "truck": ((555, 555), (569, 569), (675, 675), (717, 717), (864, 864), (867, 867)),
    "bus": ((654, 654), (779, 779), (874, 874)),
    "train": ((466, 466), (547, 547), (565, 565), (705, 705), (820, 820), (829, 829)),
    "bicycle": ((444, 444), (671, 671), (870, 870), (880, 880)),
    "bike": ((444, 444), (665, 665), (670, 671)),
    "motorcycle": ((665, 665), (670, 670)),
    "airplane": ((404, 404), (726, 726), (895, 895), (908, 908)),
    "aeroplane": ((404, 404), (895, 895), (908, 908)),
    "aircraft": ((403, 405), (895, 895), (908, 908)),
    "rocket": ((657, 657), (744, 744), (812, 812)),
    "ship": ((403, 403), (510, 510), (628, 628), (724, 724), (780, 780), (833, 833), (913, 914)),
    "boat": ((472, 472), (484, 484), (554, 554), (576, 576), (625, 625), (780, 780), (814, 814), (871, 871),
             (914, 914)),
    "building": ((410, 410), (424, 425), (449, 449), (483, 483), (497, 497), (500, 500), (580, 580),
                 (624, 624), (663, 663), (668, 668), (698, 698), (727, 727), (832, 832), (853, 853),
                 (858, 858), (873, 873), (900, 900), (915, 915)),
    "house": ((425, 425), (449, 449), (500, 500), (580, 580), (660, 660), (698, 698), (853, 853), (915, 915)),
    "tower": ((437, 437), (442, 442), (682, 682), (900, 900)),
    "bridge": ((821, 821), (839, 839), (888, 888)),
    "chair": ((423, 423), (559, 559), (765, 765), (857, 857)),
    "sofa": ((831, 831),),
    "table": ((526, 526), (532, 532), (736, 736)),
    "bottle": ((440, 440), (720, 720), (737, 737), (898, 898), (901, 901), (907, 907)),
    "cup": ((504, 504), (968, 968)),
    "clock": ((409, 409), (530, 531), (826, 826), (892, 892)),
    "guitar": ((402, 402), (546, 546)),
    "hat": ((439, 439), (452, 452), (515, 515), (808, 808)),
    "shoe": ((502, 502), (514, 514), (630, 630), (770, 770), (774, 774)),
    "phone": ((487, 487), (528, 528), (707, 707)),
    "telephone": ((487, 487), (528, 528), (707, 707)),
    "ball": ((429, 430), (522, 522), (574, 574), (722, 722), (768, 768), (805, 805), (852, 852), (890, 890)),
    "fruit": ((948, 957),),
    "apple": ((948, 948),),
    "vegetable": ((936, 946),),
    "food": ((924, 969),),
    "flower": ((984, 986),),
    "sunflower": ((985, 985),),
    "mushroom": ((947, 947), (991, 997)),
    "mountain": ((970, 970), (972, 972), (980, 980)),
}  # fmt: skip
"""General words, and the classes that they stand for."""


def understood(text: str) -> tuple[str, frozenset[int]]:
    """What a text means: ``face``, ``person`` or ``classes``, and the classes.

    Args:
        text: a word or a few, in the singular or the plural, in English.

    Raises:
        ValueError: it is not understood; the message says what is.
    """
    words = _singular(text)
    if not words or len(text) > LONGEST:
        raise ValueError(f"text is {text[:LONGEST]!r}, wanted a word, such as dog, boat, person or face")
    if words[-1] in ("face", "head"):
        return "face", frozenset()
    if words[-1] in PEOPLE:
        return "person", frozenset()
    found = {number for low, high in GENERAL.get(words[-1], ()) for number in range(low, high + 1)}
    if len(words) > 1 or not found:
        named = {n for n, name in enumerate(_names()) if all(word in name for word in words)}
        found = named or (found if len(words) == 1 else set())
    if not found:
        known = ["face", "person", *GENERAL, *imagenet_labels()]
        close = [word for word in words[::-1] if word in GENERAL or word in PEOPLE]
        close += difflib.get_close_matches(" ".join(words), known, 1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ValueError(
            f"text is {text!r}, which is not understood{hint}, wanted face, person, a general word such as"
            f" {', '.join(list(GENERAL)[:3])} or car, or one of ImageNet's 1000 classes, such as tabby"
        )
    return "classes", frozenset(found)


@torch_threads()
@torch.no_grad()
def posteriors(
    image: Tensor, instances: Sequence[Instance], classifier: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """The probability of each class for each object.

    Args:
        image: ``[3, H, W]`` in [0, 1].
        instances: N objects in it, with masks of its size.
        classifier: logits ``[B, classes]`` of `normalise`d pictures; the bundled one if None.

    Returns:
        ``[N, classes]``.
    """
    height, width = image.shape[-2:]
    views = []
    for each in instances:
        left, top, across, down = object_view(each.mask) or (0.0, 0.0, 1.0, 1.0)
        x, y = min(width - 1, round(left * width)), min(height - 1, round(top * height))
        right = max(x + 1, round((left + across) * width))
        bottom = max(y + 1, round((top + down) * height))
        views.append(resize(image[:, y:bottom, x:right], VIEW_SIDE, VIEW_SIDE))
    return (classifier or imagenet_classifier())(normalise(torch.stack(views))).softmax(1)


def chosen(
    text: str,
    image: Tensor,
    instances: Sequence[Instance],
    classifier: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Instance, ...]:
    """Those of the instances that a text names: objects, or faces.

    Args:
        text: see `understood`.
        image: ``[3, H, W]`` in [0, 1].
        instances: objects and faces in it, with masks of its size.
        classifier: see `posteriors`.

    Raises:
        ValueError: the text is not understood, or there is no such thing among them; the message says what is
            seen there.
    """
    kind, classes = understood(text)
    objects = [each for each in instances if each.kind == "object"]
    faces = [each for each in instances if each.kind == "face"]
    if kind == "face":
        if faces:
            return tuple(faces)
        raise ValueError(f"text is {text!r}, but no face is found, wanted another word, or a point or a box")
    if kind == "person":
        named = [each for each in objects if any(_holds(each, face) for face in faces)]
        things = {0: "nothing", 1: "a thing without a face"}
        seen = things.get(len(objects), f"{len(objects)} things without a face")
    else:
        likely = posteriors(image, objects, classifier) if objects else torch.zeros(0, 1, dtype=torch.float32)
        named = [
            each
            for each, row in zip(objects, likely, strict=True)
            if float(row[sorted(classes)].sum()) >= LEAST
        ]
        seen = ", ".join(imagenet_labels()[int(row.argmax())] for row in likely) or "nothing"
    if not named:
        raise ValueError(
            f"text is {text!r}, but what is found looks like {seen}, wanted another word, or a point or a box"
        )
    return tuple(named)


def _holds(thing: Instance, face: Instance) -> bool:
    """Whether most of a face lies in an object."""
    inside = face.mask > 0.5
    return float((inside & (thing.mask > 0.5)).sum()) > 0.5 * float(inside.sum())


def _singular(text: str) -> list[str]:
    """The words of a text in small letters, each in the singular as far as its end tells; no articles."""
    found = re.findall(r"[^\W\d_]+", text.lower())
    return [_one(word) for word in found if word not in ("a", "an", "the")]


def _one(word: str) -> str:
    irregular = {"people": "person", "men": "man", "women": "woman", "children": "child", "geese": "goose"}
    irregular |= {"mice": "mouse", "wolves": "wolf", "oxen": "ox", "leaves": "leaf", "buses": "bus"}
    if word in irregular:
        return irregular[word]
    if word in GENERAL or len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("shes", "ches", "xes", "sses")):
        return word[:-2]
    return word.removesuffix("s")


@lru_cache(maxsize=1)
def _names() -> tuple[frozenset[str], ...]:
    """The words of each class's name, as `_singular` gives them."""
    return tuple(frozenset(_singular(name)) for name in imagenet_labels())
