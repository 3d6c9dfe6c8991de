"""The inside of a classification as pictures: each layer's feature maps and weights.

What the device computed is read back from it layer by layer; the reference is host_ref's float
model, computed from the picture alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Tuple

import numpy as np

from host_ref.floating import FloatModel
from host_ref.network import LAST, Layer
from pynq_bnn.figure import new_figure
from pynq_bnn.images import to_pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pynq_bnn.classifier import Classifier

ROW = 16
"""Maps side by side."""
DIFFERENT = (0.8, 0.3, 0.1)


class Inside:
    """One picture's way through the device and through the reference.

    Attributes
    ----------
    layers : list of Layer
    device, reference : list of ndarray
        Each layer's output, uint8 bits (H, W, C) with 1 for -1; of the last layer its sums
        (classes,).
    """

    def __init__(self, classifier: Classifier, source: Any) -> None:
        network = classifier.parameters.network
        pictures = to_pictures(source, network.height, network.width)[:1]
        self.picture = pictures[0]
        self._parameters = classifier.parameters
        walk = list(classifier.accelerator.step_through(pictures))
        self.layers: List[Layer] = [layer for layer, _ in walk]
        self.device = [output[0] for _, output in walk]
        self.reference = [output[0] for output in FloatModel(classifier.parameters).run(pictures)]

    def differing(self) -> List[Tuple[str, int]]:
        """For each layer, how many of its bits (of the last: sums) differ from the reference."""
        return [(layer.name, int(np.count_nonzero(device != reference)))
                for layer, device, reference in zip(self.layers, self.device, self.reference)]

    def plot_maps(self, index: int, channels: int = ROW) -> Figure:
        """Draw a layer's first feature maps: device above, reference below, +1 white and -1 black.

        A bit that differs is red in both rows.
        """
        self._require_maps(index)
        layer = self.layers[index]
        both = self.device[index], self.reference[index]
        wrong = both[0] != both[1]
        shown = min(channels, layer.out_channels)
        figure = _figure(shown, 2, layer.out_height, layer.out_width)
        axes = figure.subplots(2, shown, squeeze=False)
        for row, (name, maps) in enumerate(zip(("device", "reference"), both)):
            for channel in range(shown):
                image = np.repeat(1.0 - maps[..., channel, np.newaxis], 3, axis=2)
                image[wrong[..., channel]] = DIFFERENT
                _show(axes[row, channel], image)
            axes[row, 0].set_ylabel(name, fontsize=8)
        _title(figure, f"{layer.name}: {shown} of {layer.out_channels} feature maps of "
                       f"{layer.out_height} x {layer.out_width}; {int(wrong.sum())} of "
                       f"{wrong.size:,} bits differ")
        return figure

    def plot_weights(self, index: int, filters: int = ROW, channels: int = 4) -> Figure:
        """Draw a convolution's first filters, for their first input channels: +1 white, -1 black.

        The first layer's three channels are red, green and blue: one picture in colour each.
        """
        layer = self.layers[index]
        if not layer.is_conv:
            raise ValueError(f"{layer.name} has no filters to draw: choose a convolution of "
                             f"{', '.join(each.name for each in self.layers if each.is_conv)}")
        weights = self._parameters.layers[index].weights
        values = 1.0 - weights.reshape(layer.out_channels, 3, 3, -1)
        shown = min(filters, layer.out_channels)
        in_colour = values.shape[-1] == 3
        rows = 1 if in_colour else min(channels, values.shape[-1])
        figure = _figure(shown, rows, 3, 3)
        for row, line in enumerate(figure.subplots(rows, shown, squeeze=False)):
            for number, ax in enumerate(line):
                image = values[number] if in_colour else np.repeat(
                    values[number, ..., row, np.newaxis], 3, axis=2)
                _show(ax, image)
        _title(figure, f"{layer.name}: {shown} of {layer.out_channels} filters"
               + ("" if in_colour else f", {rows} of {values.shape[-1]} input channels each"))
        return figure

    def _require_maps(self, index: int) -> None:
        layer = self.layers[index]
        if layer.kind == LAST:
            raise ValueError(f"{layer.name} gives sums and no maps: see .device[{index}]")


def _figure(columns: int, rows: int, height: int, width: int) -> Figure:
    return new_figure(0.62 * columns + 0.4, 0.62 * rows * max(height / width, 0.3) + 0.5)


def _show(ax: Any, image: np.ndarray) -> None:
    ax.imshow(image, interpolation="nearest", vmin=0, vmax=1)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_linewidth(0.4)


def _title(figure: Figure, text: str) -> None:
    figure.suptitle(text, x=0.01, ha="left", fontsize=10, fontweight="bold")
    figure.tight_layout(pad=0.3, w_pad=0.2, h_pad=0.3)
