"""What the device tests share: the contract in plain loops, and a rig around a model device.

The loops work on nested lists of +1 and -1 and pack bit by bit; they share nothing with the code
under test.
"""

import pytest

from pynq_bnn import registers
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.devices.simulated.dram import Dram


class Loops:
    """docs/contract.md, word for word."""

    @staticmethod
    def words(bits):
        """Words of a list of bits, bit 0 of word 0 first."""
        return [sum(bit << place for place, bit in enumerate(bits[start:start + 64]))
                for start in range(0, len(bits), 64)]

    @staticmethod
    def halves(numbers):
        """Words of 32-bit numbers, two to a word."""
        numbers = [*numbers, 0]
        return [numbers[i] | numbers[i + 1] << 32 for i in range(0, len(numbers) - 1, 2)]

    def picture(self, picture):
        """Words of picture[y][x][c], 0 to 255."""
        return self.halves([r | g << 8 | b << 16 for row in picture for r, g, b in row])

    @staticmethod
    def stored_bits(channels):
        """P(C)."""
        for width in (128, 256, 512):
            if channels <= width:
                return width
        return -(-channels // 512) * 512

    @staticmethod
    def channel_bytes(fmap):
        """bytes[n] of fmap[y][x][c]: each pixel's channels alone, eight to a byte."""
        return [[sum(int(pixel[c + i] == -1) << i for i in range(8))
                 for c in range(0, len(pixel), 8)] for row in fmap for pixel in row]

    def pixels(self, pixels, unowned):
        """Bits of pixels[n][c], +1 or -1, at their stored width; `unowned` where no channel is."""
        width = self.stored_bits(len(pixels[0]))
        return [bit for pixel in pixels
                for bit in [int(x == -1) for x in pixel] + [unowned] * (width - len(pixel))]

    def fmap(self, fmap, unowned=1):
        """Words of fmap[y][x][c], +1 or -1, as stored: whole rows of 512 bits."""
        bits = self.pixels([pixel for row in fmap for pixel in row], unowned)
        return self.words(bits + [unowned] * (-len(bits) % 512))

    def read_fmap(self, words, height, width, channels):
        """fmap[y][x][c] of the words of one image; inverse of :meth:`fmap`."""
        def at(place):
            return -1 if words[place // 64] >> place % 64 & 1 else 1

        pixel_bits = self.stored_bits(channels)
        return [[[at((y * width + x) * pixel_bits + c) for c in range(channels)]
                 for x in range(width)] for y in range(height)]

    def parameters(self, weights, thresholds=(), flips=(), channels=None):
        """Words of one layer: weights[o][ky][kx][c], or weights[o][i] of an FC layer.

        An FC layer's inputs are pixels of so many channels; one pixel without.
        """
        words = self.halves([t & 0xFFFF | flip << 16 for t, flip in zip(thresholds, flips)])
        if not isinstance(weights[0][0], list):
            stored = []
            for row in weights:
                each = channels or len(row)
                stored.append(self.fmap([[row[i:i + each] for i in range(0, len(row), each)]], 0))
            if len(stored) % 2:
                stored.append([0] * len(stored[0]))
            for first, second in zip(stored[::2], stored[1::2]):
                for i in range(0, len(first), 8):  # a row is eight words
                    words += first[i:i + 8] + second[i:i + 8]
        elif len(weights[0][0][0]) == 3:
            taps = [[w for row in each for tap in row for w in tap] for each in weights]
            words += self.halves([self.words([int(w < 0) for w in tap])[0] for tap in taps])
        else:
            each = 2048 // len(self.pixels([weights[0][0][0]], 0))  # outputs of a group
            for first in range(0, len(weights), each):
                for ky in range(3):
                    for kx in range(3):
                        for output in weights[first:first + each]:
                            words += self.words(self.pixels([output[ky][kx]], 0))
        return self.bursts(words)

    @staticmethod
    def bursts(words):
        """Words filled up with zeros to whole bursts."""
        return words + [0] * (-len(words) % 16)

    @staticmethod
    def conv_sums(fmap, weights, padding):
        """sums[y][x][o]; a picture's fmap holds v = 2p - 255."""
        height, width, channels = len(fmap), len(fmap[0]), len(fmap[0][0])
        shift = 0 if padding == registers.PAD_NONE else 1
        outside = [1 if padding == registers.PAD_ONE else 0] * channels

        def at(y, x):
            return fmap[y][x] if 0 <= y < height and 0 <= x < width else outside

        return [[[sum(w * v for ky in range(3) for kx in range(3) for w, v in
                      zip(each[ky][kx], at(y + ky - shift, x + kx - shift)))
                  for each in weights]
                 for x in range(width - 2 + 2 * shift)] for y in range(height - 2 + 2 * shift)]

    @staticmethod
    def fc_sums(fmap, weights):
        """sums[o] over all of fmap[y][x][c]."""
        inputs = [x for row in fmap for pixel in row for x in pixel]
        return [sum(w * x for w, x in zip(row, inputs)) for row in weights]

    @staticmethod
    def threshold(sums, thresholds, flips, pool=False):
        """fmap[y][x][o] of sums[y][x][o]."""
        step = 2 if pool else 1

        def out(y, x, o):
            window = [sums[y + i][x + j][o] for i in range(step) for j in range(step)]
            return 1 if any(s >= thresholds[o] for s in window) != bool(flips[o]) else -1

        return [[[out(y, x, o) for o in range(len(thresholds))]
                 for x in range(0, len(sums[0]), step)] for y in range(0, len(sums), step)]


class Rig:
    """A model device with little memory, and short words for its registers and memory."""

    def __init__(self, **options):
        self.device = ModelDevice(**{"batch": 2, "dram": Dram(1 << 20), **options})
        self.dram = self.device.dram
        self.placed = []  # a buffer that is dropped gives its memory back

    def read(self, name, index=0):
        return self.device.mmio.read(registers.offset(name, index))

    def fields(self, name):
        return registers.decode(name, self.read(name))

    def write(self, **values):
        for name, value in values.items():
            self.device.mmio.write(registers.offset(name), value)

    @staticmethod
    def stage_registers(kind, source=0, target=0, shape=(0, 0, 0), padding=0, pool=0, **values):
        """Register values that start a stage; STAGE comes last."""
        return {
            "BUFFERS": registers.encode("BUFFERS", SOURCE=source, TARGET=target),
            "SHAPE": registers.encode("SHAPE", HEIGHT=shape[0], WIDTH=shape[1], CHANNELS=shape[2]),
            "MODE": registers.encode("MODE", PADDING=padding, POOL=pool), **values, "STAGE": kind}

    def stage(self, kind, **values):
        """Run a stage in stepped mode; the STATUS fields after it."""
        self.write(**self.stage_registers(kind, **values))
        return self.fields("STATUS")

    def place(self, words):
        """The address of a flushed buffer with these words."""
        buffer = self.device.allocate(len(words), "<u8")
        buffer[:] = words
        buffer.flush()
        self.placed.append(buffer)
        return buffer.device_address

    def load(self, target, words):
        """LOAD words, filled up to whole bursts; the STATUS fields after it."""
        words = Loops.bursts(list(words))
        return self.stage(registers.LOAD, target=target, DMA_ADDRESS=self.place(words),
                          DMA_BYTES=8 * len(words))

    def load_parameters(self, words):
        return self.load(registers.PARAMS, words)

    def plus_ones(self, target, images=1):
        """Write images of 1 x 1 x 64 times +1 to a map buffer."""
        self.load(registers.INPUT, [0xFFFFFF] * images)
        self.load_parameters([0] * 64)
        self.stage(registers.FP_CONV, source=registers.INPUT, target=target, shape=(1, 1, 3),
                   OUTPUTS=64, BATCH=images)

    def stored(self, source, words):
        """The first `words` of a buffer, read back by a STORE of whole bursts."""
        whole = -(-words // 16) * 16
        buffer = self.device.allocate(whole, "<u8")
        status = self.stage(registers.STORE, source=source, DMA_BYTES=8 * whole,
                            DMA_ADDRESS=buffer.device_address)
        assert status["ERROR"] == 0
        buffer.invalidate()
        result = buffer.tolist()
        buffer.freebuffer()
        return result[:words]

    def run(self, *stages):
        """Run a program of stages' register values; the STATUS fields after it."""
        return self.run_words([registers.offset(name) | value << 32
                               for stage in stages for name, value in stage.items()])

    def run_words(self, words):
        self.write(PROGRAM_ADDRESS=self.place(words), PROGRAM_STEPS=len(words), CONTROL=1)
        return self.fields("STATUS")

    def reset(self):
        self.write(CONTROL=registers.encode("CONTROL", RESET=1))

    def error(self):
        """Name of the error, stage, step and address."""
        fields, names = self.fields("ERROR"), {code: name for name, code in registers.ERRORS}
        return names[fields["CODE"]], fields["STAGE"], fields["STEP"], self.read("ERROR_ADDRESS")


@pytest.fixture
def loops():
    return Loops()


@pytest.fixture
def make_rig():
    return Rig


@pytest.fixture
def rig():
    return Rig()
