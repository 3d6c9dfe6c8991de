"""Who reads and writes which map buffer."""

from amaranth import Module, Mux, Value
from amaranth.lib import wiring

from overlays.gateware.blocks import Blocks
from overlays.gateware.core_stage import Convolution, Stage
from overlays.gateware.fmap_buffer import FmapBuffers
from overlays.gateware.interfaces import ByteWrite, MapBytes
from overlays.gateware.pipeline import register
from pynq_bnn import registers as r


def written(m: Module, blocks: Blocks, fp: Convolution, conv: Convolution) -> None:
    """What the convolutions write goes to their targets, far away and so by way of registers."""
    fmaps = blocks.fmaps
    base = register(m, _quarter(fmaps, conv.target), "conv_write_to")
    wiring.connect(m, blocks.fp.write, blocks.fp_bytes.bits)
    wiring.connect(m, blocks.conv.write, blocks.conv_bytes.bits)
    of_fp, of_conv = (
        {name: register(m, getattr(source, name), f"{whose}_{name}", reset_less=name != "enable")
         for name in MapBytes.members}
        for whose, source in (("fp", blocks.fp_bytes.bytes), ("conv", blocks.conv_bytes.bytes)))
    of_conv["row"] = of_conv["row"] | base
    for write, is_b in ((fmaps.write_a, 0), (fmaps.write_b, 1)):
        # they never write into the same buffer at once
        fp_there = register(m, fp.runs & ((fp.target != r.FMAP_A) == is_b), keep=True)
        conv_there = register(m, (conv.target != r.FMAP_A) == is_b, keep=True)
        m.d.sync += [getattr(write, name).eq(Mux(fp_there, of_fp[name], of_conv[name]))
                     for name in MapBytes.members if name != "enable"]
        m.d.sync += write.enable.eq(Mux(fp_there, of_fp["enable"],
                                        of_conv["enable"] & conv_there))


def convolution_source(m: Module, blocks: Blocks, conv: Convolution) -> None:
    """The convolution's source, and its own port of the buffers."""
    fmaps = blocks.fmaps
    base = register(m, _quarter(fmaps, conv.source), "conv_read_from")
    m.d.sync += [fmaps.conv_source_b.eq(conv.source != r.FMAP_A), fmaps.conv_reads.eq(conv.runs)]
    m.d.comb += [fmaps.conv_read.address.eq(base | blocks.conv.fmap.address),
                 blocks.conv.fmap.data.eq(fmaps.conv_read.data)]


def others(m: Module, blocks: Blocks, stage: Stage) -> None:
    """Who reads and writes which buffer, but for the convolutions; the sums are fc's alone."""
    fp, fc, store, fmaps = blocks.fp, blocks.fc, blocks.store, blocks.fmaps
    pictures, sums = blocks.pictures, blocks.sums
    storing = register(m, stage.kind == r.STORE, "storing_map", reset_less=False)
    filling = register(m, stage.kind == r.BIN_FC, "filling", reset_less=False)
    to_a = register(m, stage.target == r.FMAP_A, "to_a")
    read_from, write_to = (register(m, _quarter(fmaps, place), name) for place, name in (
        (stage.source, "read_from"), (stage.target, "write_to")))
    m.d.sync += fmaps.source_b.eq(stage.source != r.FMAP_A)
    m.d.comb += [
        fmaps.read.address.eq(read_from | Mux(storing, store.read.address, fc.source.address)),
        *(getattr(fmaps.bytes, name).eq(getattr(fc.write, name)) for name in ByteWrite.members),
        fmaps.bytes.row.eq(write_to | fc.write.row),
        fmaps.bytes_to_a.eq(filling & to_a), fmaps.bytes_to_b.eq(filling & ~to_a),
        fc.source.data.eq(fmaps.read.data), store.read.data.eq(fmaps.read.data),
        pictures.address.eq(fp.input.address), fp.input.data.eq(pictures.word),
        *_drive(sums.write, fc.sums),
        sums.address.eq(store.sums_address), store.sums_data.eq(sums.word),
    ]


def _quarter(fmaps: FmapBuffers, place: Value) -> Value:
    """The first row of a map buffer: not 0 of B's third and fourth quarter."""
    quarter = fmaps.rows // 4
    assert fmaps.rows == 1 << (4 * quarter).bit_length() - 1
    return Mux(place == r.FMAP_C, 2 * quarter, Mux(place == r.FMAP_D, 3 * quarter, 0))


def _drive(target: object, source: object) -> list:
    """Every signal of an interface from its like."""
    return [getattr(target, name).eq(getattr(source, name)) for name in target.signature.members]
