"""What the emulated ARM executes: the calls whose instructions are counted.

``measured.py calls PHOTO PICTURE`` measures whole calls, ``measured.py parts`` the functions inside
a classification.  The plugin's counts come on standard error, what they belong to on standard
output, as JSON.
"""

from __future__ import annotations

import functools
import gc
import inspect
import json
import os
import platform
import sys
from collections import Counter
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import numpy as np
import PIL
from PIL import Image, ImageOps
from stand_in import StandIn

import pynq_bnn
from pynq_bnn import Classifier, to_pictures
from pynq_bnn.cpu.engine import Engine
from pynq_bnn.driver.following import Program
from pynq_bnn.driver.packing import pack_pictures

MANY = 80
SIDE = 32
ENGINE = 'device="cpu", engine.c, one picture'
REPEATS = 2
MARKS = 3
"""Marks of one measurement: between the first two is nothing but the mark itself."""
WARM_UP = 2

MEMBERS = (classmethod, staticmethod, property)
"""What wraps a function in a class; left alone, since few of them do any work."""

Call = Callable[[], Any]


def mark() -> None:
    """Let the plugin print its count."""
    os.getsid(0)


class Row(NamedTuple):
    """A call, and through how many pictures its count is to be divided."""

    meaning: str
    pictures: int
    call: Call


def measure(call: Call, repeats: int = REPEATS) -> None:
    """Call it between marks, `WARM_UP` times more than are to be counted."""
    gc.collect()
    gc.disable()
    for _ in range(WARM_UP + repeats):
        mark()
        mark()
        call()
        mark()
    gc.enable()


def nothing() -> None:
    """What a call costs that does no work: to be taken from the others."""


def random_pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (MANY, SIDE, SIDE, 3)).astype(np.uint8)


def full_decode(path: str) -> np.ndarray:
    """The picture without any shortcut: every pixel decoded."""
    with Image.open(path) as image:
        return np.array(ImageOps.fit(image.convert("RGB"), (SIDE, SIDE), Image.LANCZOS))


def longest_program(classifier: Classifier) -> None:
    """What the first run of its kind does besides."""
    loaded = classifier.accelerator._loaded
    loaded.programs.clear()
    loaded.program_of(Program(0, loaded.run_size, prepared=False, following=None))


def rows(classifier: Classifier, photo: str, picture: str) -> List[Row]:
    """The calls to be measured."""
    pictures = random_pictures()
    one = pictures[0]
    engine = Engine(classifier.parameters, threads=1)
    if not engine.is_compiled:
        sys.exit("the cross compiler did not compile engine.c")
    return [
        Row("nothing", 1, nothing),
        Row("classify, one array", 1, lambda: classifier.classify(one)),
        Row(f"classify, a picture of {MANY}", MANY, lambda: classifier.classify(pictures)),
        Row(f"scores, a picture of {MANY}", MANY, lambda: classifier.scores(pictures)),
        Row(f"stream, a picture of {MANY}", MANY,
            lambda: sum(1 for _ in classifier.stream(pictures))),
        Row("a program of the longest run, made and written", 1,
            lambda: longest_program(classifier)),
        Row("to_pictures, one array", 1, lambda: to_pictures(one)),
        Row(f"to_pictures, a picture of {MANY}", MANY, lambda: to_pictures(pictures)),
        Row("pack_pictures, one", 1, lambda: pack_pictures(pictures[:1])),
        Row(f"pack_pictures, a picture of {MANY}", MANY, lambda: pack_pictures(pictures)),
        Row("to_pictures, PNG of 451 x 300", 1, lambda: to_pictures(picture)),
        Row("to_pictures, JPEG of 12 megapixels", 1, lambda: to_pictures(photo)),
        Row("the same JPEG, every pixel decoded", 1, lambda: full_decode(photo)),
        Row(ENGINE, 1, lambda: engine.sums(pictures[:1])),
        Row("one register read, as counted above", 1, lambda: classifier.device.mmio.read(0)),
    ]


def about(classifier: Classifier) -> Dict[str, Any]:
    return {"python": platform.python_version(), "numpy": np.__version__,
            "pillow": PIL.__version__, "machine": platform.machine(),
            "network": classifier.parameters.name, "batch": classifier.batch, "marks": MARKS,
            "warm_up": WARM_UP,
            "repeats": REPEATS}


def measure_calls(classifier: Classifier, photo: str, picture: str) -> List[Dict[str, Any]]:
    found = rows(classifier, photo, picture)
    for row in found:
        measure(row.call)
    return [{"meaning": row.meaning, "divisor": row.pictures} for row in found]


# The parts of a call.

Place = Tuple[Any, str]


def functions() -> Dict[str, Tuple[Callable[..., Any], List[Place]]]:
    """Every function and method of the package, and all names under which it is called."""
    modules = [module for name, module in sorted(sys.modules.items())
               if name.split(".")[0] in ("pynq_bnn", "host_ref")]
    found: Dict[str, Tuple[Callable[..., Any], List[Place]]] = {}
    holders: List[Any] = list(modules)
    for module in modules:
        holders += [value for value in vars(module).values()
                    if isinstance(value, type) and value.__module__ == module.__name__]
    for holder in holders:
        for name, value in vars(holder).items():
            if getattr(value, "__code__", None) is not None and not isinstance(value, MEMBERS):
                key = f"{value.__module__}.{value.__qualname__}"
                found.setdefault(key, (value, []))[1].append((holder, name))
    return found


def called(call: Call) -> Counter:
    """How often `call` enters each function of the package, by its code's place."""
    entered: Counter = Counter()

    def see(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            entered[frame.f_code] += 1

    sys.setprofile(see)
    try:
        call()
    finally:
        sys.setprofile(None)
    return entered


def marked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with a mark before and behind each call."""

    @functools.wraps(function)
    def between_marks(*arguments: Any, **named: Any) -> Any:
        mark()
        try:
            return function(*arguments, **named)
        finally:
            mark()

    return between_marks


def measure_inside(function: Callable[..., Any], places: List[Place], call: Call) -> None:
    """Call with marks around this function alone: the others keep their true cost."""
    wrapped = marked(function)
    for holder, name in places:
        setattr(holder, name, wrapped)
    try:
        call()
        gc.collect()
        gc.disable()
        os.write(2, b"begin\n")
        call()
        os.write(2, b"end\n")
        gc.enable()
    finally:
        for holder, name in places:
            setattr(holder, name, function)


def measure_parts(classifier: Classifier) -> List[Dict[str, Any]]:
    """The functions of a classify of one picture, and of scores of many, one after another."""
    pictures = random_pictures()
    table: List[Dict[str, Any]] = []
    for title, pictures_each, call in (
            ("classify, one array", 1, lambda: classifier.classify(pictures[0])),
            (f"classify, a picture of {MANY}", MANY, lambda: classifier.classify(pictures)),
            (f"scores, a picture of {MANY}", MANY, lambda: classifier.scores(pictures))):
        call()
        call()
        entered = called(call)
        holder = sys.modules[__name__]
        measure_inside(nothing, [(holder, "nothing")], lambda: nothing())
        table.append({"call": title, "meaning": "nothing", "times": 1, "divisor": pictures_each})
        for key, (function, places) in functions().items():
            times = entered[function.__code__]
            if times and not inspect.isgeneratorfunction(function):
                measure_inside(function, places, call)
                table.append({"call": title, "meaning": key, "times": times,
                              "divisor": pictures_each})
    return table


def main() -> None:
    what = sys.argv[1]
    with Classifier(pynq_bnn.load_parameters("cifar10"), StandIn(),
                    known_answer=False) as classifier:
        measured = (measure_parts(classifier) if what == "parts"
                    else measure_calls(classifier, *sys.argv[2:4]))
        print(json.dumps({"about": about(classifier), "rows": measured}))


if __name__ == "__main__":
    main()
