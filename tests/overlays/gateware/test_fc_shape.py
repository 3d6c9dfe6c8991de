from amaranth.sim import Simulator

from overlays.gateware.fc_shape import LATENCY, FcShape


def words_of(height, width, channels):
    """Whether each word of an image's rows belongs to a channel."""
    stride = next((p for p in (2, 4, 8) if channels <= 64 * p), channels // 64)
    words = ([True] * (channels // 64) + [False] * (stride - channels // 64)) * height * width
    return words + [False] * (-len(words) % 8)


SHAPES = [(1, 1, channels) for channels in range(64, 8193, 64)] + [
    (height, width, channels) for channels in range(64, 513, 64)
    for height, width in ((1, 2), (2, 1), (3, 3), (2, 8), (11, 11), (4, 32))
    if height * width * channels <= 8192]


def test_rows_of_a_map():
    dut, wrong = FcShape(), []

    async def bench(ctx):
        for outputs, (height, width, channels) in zip([64, 512, 576, 8192] * 99, SHAPES):
            for name, value in (("height", height), ("width", width), ("channels", channels),
                                ("outputs", outputs)):
                ctx.set(dut.shape[name], value)
            await ctx.tick().repeat(LATENCY)
            words = words_of(height, width, channels)
            got = [ctx.get(signal) for signal in (dut.chunks, dut.owned_last, dut.inputs,
                                                  dut.target_rows)]
            masks = [sum(owned << j for j, owned in enumerate(words[n:n + 8]))
                     for n in range(0, len(words), 8)]
            if got != [len(masks), masks[-1], height * width * channels, -(-outputs // 512)]:
                wrong.append((height, width, channels, outputs, got))
            if any(mask != ctx.get(dut.owned) for mask in masks[:-1]):
                wrong.append((height, width, channels, "owned"))

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    assert not wrong
