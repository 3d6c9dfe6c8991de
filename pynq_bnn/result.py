"""What a classification gives back: a :class:`Result` for a picture, :class:`Results` for several.

A score is k · s + h of the last layer.  Larger is likelier, but it is not a probability, and scores
of different networks don't compare.  Where the parameter file holds a temperature, probabilities
are the softmax of scores / temperature (:mod:`host_ref.calibration` says how it is fitted).
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple, Union, overload

import numpy as np
from PIL import Image

from host_ref.errors import printable
from host_ref.parameters import ParameterError
from pynq_bnn.figure import new_figure
from pynq_bnn.timing import Timing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BARS_SHOWN, THUMBNAILS_SHOWN = 10, 60
"""Most classes in a chart and most pictures in a grid; what is left out is counted below it."""

WINNER, OTHER, MUTED = "#1b6ca8", "#b4c2cc", "#6b7680"
"""Colours of the winner's bar, of the other bars and of small print, on light and dark pages."""


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """The answer for one picture.

    Parameters
    ----------
    classes : tuple of str
    scores : float32 (classes,)
        Kept read-only, as are the other arrays.
    sums : int (classes,)
        The last layer's sums as the device gave them: int16.
    picture : uint8 (H, W, 3)
        What the network saw: the picture after cropping and resizing.
    timing : Timing
        Of the whole call that classified this picture.
    temperature : float, optional
        Of the network's calibration; None: it has none.
    """

    classes: Tuple[str, ...]
    scores: np.ndarray
    sums: np.ndarray
    picture: np.ndarray
    timing: Timing
    temperature: Optional[float] = None

    def __post_init__(self) -> None:
        for name, dtype in (("scores", np.float32), ("sums", np.int16), ("picture", np.uint8)):
            array = np.array(getattr(self, name), dtype)  # the user's own, whatever happens to ours
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        if not (len(self.classes),) == self.scores.shape == self.sums.shape:
            raise ValueError(f"{len(self.classes)} classes, scores of shape {self.scores.shape} "
                             f"and sums of shape {self.sums.shape}: one of each for every class")

    @classmethod
    def _owning(cls, classes: Tuple[str, ...], scores: np.ndarray, sums: np.ndarray,
                picture: np.ndarray, timing: Callable[[], Timing],
                temperature: Optional[float] = None) -> Result:
        """A result that takes these read-only arrays as they are, and asks for its timing late."""
        result = object.__new__(cls)
        vars(result).update(classes=classes, scores=scores, sums=sums, picture=picture,
                            _make_timing=timing, temperature=temperature)
        return result

    def __getattr__(self, name: str) -> Any:
        if name == "timing" and "_make_timing" in vars(self):
            vars(self)["timing"] = vars(self).pop("_make_timing")()
            return self.timing
        raise AttributeError(f"Result has no attribute {name!r}")

    def __getstate__(self) -> Dict[str, Any]:
        return {"timing": self.timing, **{name: value for name, value in vars(self).items()
                                          if name != "_make_timing"}}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        vars(self).update(state)
        for name in ("scores", "sums", "picture"):
            state[name].setflags(write=False)

    @property
    def index(self) -> int:
        """The class with the highest score; of equals the first."""
        return int(np.argmax(self.scores))

    @property
    def label(self) -> str:
        """The name of that class."""
        return self.classes[self.index]

    @property
    def probabilities(self) -> np.ndarray:
        """Of every class, float64 (classes,); they add up to 1.

        Raises
        ------
        ParameterError
            If the network's file holds no temperature.
        """
        return _probabilities(self.scores[None], self.temperature)[0]

    @property
    def probability(self) -> float:
        """That the label is right: the highest of `probabilities`."""
        return float(self.probabilities[self.index])

    def top(self, k: int = 3) -> List[Tuple[str, float]]:
        """The `k` highest (label, score), highest first; of equals the first class first."""
        if k < 1:
            raise ValueError(f"top({k}): at least 1")
        order = np.argsort(-self.scores, kind="stable")[:k]
        return [(self.classes[index], float(self.scores[index])) for index in order]

    def to_dict(self) -> Dict[str, Any]:
        """Everything but the picture, for JSON."""
        return {"label": self.label, "index": self.index, "classes": list(self.classes),
                "scores": self.scores.tolist(), "sums": self.sums.tolist(),
                "probability": None if self.temperature is None else self.probability,
                "timing": self.timing.to_dict()}

    def __repr__(self) -> str:
        (label, score), *others = self.top(2)
        following = "".join(f"; next {printable(other)} {value:.2f}" for other, value in others)
        sure = "" if self.temperature is None else f", probability {self.probability:.2f}"
        return (f"<Result {printable(label)} (score {score:.2f}{sure}{following}) "
                f"on {self.timing.device}>")

    def _repr_html_(self) -> str:
        """The picture beside its bars, for a notebook; needs nothing but Pillow."""
        low, high = min(0.0, float(self.scores.min())), max(0.0, float(self.scores.max()))
        unit = 240 / (high - low or 1.0)
        rows = "".join(
            _html_row(label, score, unit, start=(min(score, 0.0) - low) * unit, first=rank == 0)
            for rank, (label, score) in enumerate(self.top(BARS_SHOWN)))
        return (f'<table style="border:0"><tr style="background:none"><td>'
                f'{_html_image(self.picture, 160)}</td>'
                f'<td><table style="border:0">{rows}</table>{_html_note(self._bars_note())}</td>'
                f'</tr></table>{_html_note(str(self.timing))}')

    def plot(self, ax: Optional[Axes] = None) -> Figure:
        """Draw the picture beside a bar chart of its scores.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Draw the bars here, and no picture.

        Returns
        -------
        Figure
            Made without pyplot, so that no backend is chosen and nothing has to be closed.
        """
        if ax is not None:
            self._draw_bars(ax)
            drawn: Any = ax.figure
            return drawn
        figure = new_figure(7.2, 3.3)
        left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": (1, 1.35)})
        left.imshow(self.picture, interpolation="nearest")
        left.set_axis_off()
        self._draw_bars(right)
        figure.tight_layout(w_pad=2)
        return figure

    def save(self, path: Union[str, os.PathLike]) -> None:
        """Save :meth:`plot` to a file; its suffix gives the format (.png, .pdf, .svg)."""
        self.plot().savefig(os.fspath(path), dpi=150, bbox_inches="tight")

    def _draw_bars(self, ax: Axes) -> None:
        top = self.top(BARS_SHOWN)
        scores = [score for _, score in top]
        rows = range(len(top))
        ax.barh(rows, scores, height=0.72, color=[WINNER] + [OTHER] * (len(top) - 1))
        for row, score in enumerate(scores):
            ax.annotate(f"{score:.2f}", (score, row), xytext=(4 if score >= 0 else -4, 0),
                        textcoords="offset points", va="center", fontsize=8, color=MUTED,
                        ha="left" if score >= 0 else "right")
        ax.axvline(0, color=MUTED, linewidth=0.8)
        ax.invert_yaxis()
        ax.margins(x=0.16)
        ax.set_yticks(rows)
        ax.set_yticklabels([_plain(label) for label, _ in top], fontsize=9)
        ax.get_yticklabels()[0].set_fontweight("bold")
        ax.set_xticks([])
        ax.tick_params(length=0)
        for spine in ax.spines.values():
            spine.set_visible(False)
        ax.set_title(_plain(f"{self.label}, on the {self.timing.device} device"), loc="left",
                     fontsize=12, fontweight="bold")
        ax.set_xlabel(_plain(self._bars_note()), fontsize=8, color=MUTED)

    def _bars_note(self) -> str:
        """What a chart's bars are, and how many it leaves out."""
        left_out = len(self.classes) - BARS_SHOWN
        more = f"; {left_out} lower ones not shown" if left_out > 0 else ""
        what = ("scores (not probabilities)" if self.temperature is None else
                f"scores; {self.label} is right with probability {self.probability:.2f}")
        return f"{what}{more}"


class Results(Sequence):
    """The answers for several pictures, in the order in which they were given.

    Parameters
    ----------
    classes : tuple of str
    scores : float32 (N, classes)
    sums : int (N, classes)
    pictures : uint8 (N, H, W, 3)
        What the network saw.
    timing : Timing
        Of the call that classified them all.
    temperature : float, optional
        Of the network's calibration; None: it has none.

    Notes
    -----
    The arrays are kept as they are, read-only, and a :class:`Result` is made when it is looked at:
    for thousands of pictures that would cost more than the accelerator does.
    """

    def __init__(self, classes: Tuple[str, ...], scores: np.ndarray, sums: np.ndarray,
                 pictures: np.ndarray, timing: Timing,
                 temperature: Optional[float] = None) -> None:
        if not len(scores) == len(sums) == len(pictures):
            raise ValueError(f"{len(pictures)} pictures, {len(scores)} scores and {len(sums)} "
                             "sums: one of each for every picture")
        for array in (scores, sums, pictures):
            array.setflags(write=False)
        self.classes, self.timing, self.temperature = classes, timing, temperature
        self.scores, self.sums, self.pictures = scores, sums, pictures

    def __len__(self) -> int:
        return len(self.scores)

    @overload
    def __getitem__(self, index: int) -> Result: ...

    @overload
    def __getitem__(self, index: slice) -> Results: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[Result, Results]:
        parts = self.scores[index], self.sums[index], self.pictures[index]
        if isinstance(index, slice):
            return Results(self.classes, *parts, self.timing, self.temperature)
        return Result(self.classes, *parts, self.timing, self.temperature)

    @property
    def indices(self) -> np.ndarray:
        """The class of every picture, int (N,): of equal scores the first."""
        return self.scores.argmax(axis=1)

    @property
    def labels(self) -> List[str]:
        """The label of every picture."""
        return [self.classes[index] for index in self.indices]

    @property
    def probabilities(self) -> np.ndarray:
        """Of every picture and class, float64 (N, classes); as :attr:`Result.probabilities`."""
        return _probabilities(self.scores, self.temperature)

    @property
    def images_per_s(self) -> Optional[float]:
        """Pictures a second of wall clock in Python, over the whole call."""
        return self.timing.images_per_s

    def to_dict(self) -> Dict[str, Any]:
        """Everything but the pictures, for JSON."""
        return {"labels": self.labels, "indices": self.indices.tolist(),
                "classes": list(self.classes), "scores": self.scores.tolist(),
                "sums": self.sums.tolist(), "timing": self.timing.to_dict()}

    def __repr__(self) -> str:
        if not len(self):
            return "<Results of no pictures>"
        noun = "picture" if len(self) == 1 else "pictures"
        labels = ", ".join(map(printable, self[:5].labels)) + (", ..." if len(self) > 5 else "")
        return f"<Results {labels} ({len(self)} {noun}) on {self.timing.device}>"

    def _repr_html_(self) -> str:
        """A grid of the pictures, each with its label and score, for a notebook."""
        cells = "".join(
            f'<div style="display:inline-block;width:96px;margin:4px;text-align:center;'
            f'vertical-align:top">{_html_image(result.picture, 80)}<br>{escape(result.label)} '
            f'<span style="color:{MUTED}">{result.scores[result.index]:.2f}</span></div>'
            for result in self[:THUMBNAILS_SHOWN])
        left_out = len(self) - THUMBNAILS_SHOWN
        more = _html_note(f"{left_out} more pictures not shown") if left_out > 0 else ""
        return f"<div>{cells}{more}</div>"


def _probabilities(scores: np.ndarray, temperature: Optional[float]) -> np.ndarray:
    if temperature is None:
        raise ParameterError("this network's scores can't be read as probabilities: its file holds "
                             "no temperature; python -m host_ref.calibration fits one")
    from host_ref.calibration import probabilities  # few look, and importing would cost all

    return probabilities(scores, temperature)


def _plain(text: str) -> str:
    """Text that matplotlib doesn't take for a formula."""
    return text.replace("$", r"\$")


def _html_image(picture: np.ndarray, width: int) -> str:
    """The picture as an inline PNG, its pixels enlarged as squares."""
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "PNG")
    encoded = base64.b64encode(data.getvalue()).decode("ascii")
    return (f'<img src="data:image/png;base64,{encoded}" alt="picture" width="{width}" '
            f'style="image-rendering:pixelated">')


def _html_row(label: str, score: float, unit: float, start: float, first: bool) -> str:
    """A label, its bar from `start` in px with `unit` px for a score of 1, and the score."""
    weight, colour = ("bold", WINNER) if first else ("normal", OTHER)
    bar = (f'<div style="margin-left:{start:.0f}px;width:{max(abs(score) * unit, 1):.0f}px;'
           f'height:12px;background:{colour}"></div>')
    return (f'<tr style="background:none;font-weight:{weight}">'
            f'<td style="text-align:right;padding:2px 8px">{escape(label)}</td>'
            f'<td style="padding:2px;min-width:244px">{bar}</td>'
            f'<td style="text-align:right;padding:2px 8px">{score:.2f}</td></tr>')


def _html_note(text: str) -> str:
    return f'<div style="color:{MUTED};font-size:smaller">{escape(text)}</div>'
