"""A small machine of all the AXI blocks, and the cocotb test that drives it.

A write to STAGE copies OUTPUTS bursts of memory from DMA_ADDRESS to PROGRAM_ADDRESS.  cocotbext-axi
is the processor at one end and the memory at the other; it speaks AXI4, whose fields are wider.
"""

import random

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.axi import GP, HP_READ, HP_WRITE
from overlays.gateware.axi_slave import AxiSlave
from overlays.gateware.dma_reader import DmaReader
from overlays.gateware.dma_writer import DmaWriter
from overlays.gateware.register_file import RegisterFile
from pynq_bnn.registers import BASE_ADDRESS as BASE
from pynq_bnn.registers import offset

AXI4_WIDTHS = {"len": 8, "size": 3, "lock": 1}


def axi4(*signatures):
    members = {name: member for signature in signatures
               for name, member in signature.members.items() if name != "wid"}
    for name in members:
        if name[:2] in ("ar", "aw") and name[2:] in AXI4_WIDTHS:
            members[name] = Out(AXI4_WIDTHS[name[2:]])
    return wiring.Signature(members)


GP4, HP4 = axi4(GP), axi4(HP_READ, HP_WRITE)


class Copier(wiring.Component):
    gp: In(GP4)
    hp: Out(HP4)

    def elaborate(self, platform):
        m = Module()
        slave = m.submodules.slave = AxiSlave(BASE)
        registers = m.submodules.registers = RegisterFile()
        reader = m.submodules.reader = DmaReader(1, 8)
        writer = m.submodules.writer = DmaWriter()
        wiring.connect(m, slave.bus, registers.bus)
        for outside, inside in ((self.gp, slave.axi), (self.hp, reader.axi0),
                                (self.hp, writer.axi)):
            for name, member in inside.signature.members.items():
                if name == "wid":
                    continue
                pair = getattr(inside, name), getattr(outside, name)
                m.d.comb += pair[0].eq(pair[1]) if member.flow == In else pair[1].eq(pair[0])
        for engine, address in ((reader, registers.dma_address),
                                (writer, registers.program_address)):
            with m.If(registers.stage_written):
                m.d.sync += engine.commands.valid.eq(1)
            with m.Elif(engine.commands.ready):
                m.d.sync += engine.commands.valid.eq(0)
            m.d.comb += [engine.commands.payload.address.eq(address),
                         engine.commands.payload.bursts.eq(registers.outputs)]
        half = Signal()
        m.d.comb += [
            writer.words.payload.eq(reader.units[0].payload.word_select(half, 64)),
            writer.words.valid.eq(reader.units[0].valid),
            reader.units[0].ready.eq(writer.words.ready & half),
            registers.status.eq(reader.busy | writer.busy | writer.commands.valid),
        ]
        with m.If(writer.words.valid & writer.words.ready):
            m.d.sync += half.eq(~half)
        return m


try:
    import cocotb
except ImportError:
    cocotb = None
else:
    from cocotb.clock import Clock
    from cocotb.triggers import ClockCycles
    from cocotbext.axi import AxiBus, AxiMaster, AxiRam, AxiResp

    def pauses(seed):
        rng = random.Random(seed)
        while True:
            yield rng.random() < 0.3

    @cocotb.test()
    async def copies_what_the_processor_asks_for(dut):
        rng = random.Random(6)
        dut.rst.value = 1
        cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
        await ClockCycles(dut.clk, 3)
        dut.rst.value = 0
        processor = AxiMaster(AxiBus.from_prefix(dut, "gp_"), dut.clk, dut.rst, max_burst_len=16)
        memory = AxiRam(AxiBus.from_prefix(dut, "hp_"), dut.clk, dut.rst, size=1 << 16)
        for n, channel in enumerate((
                memory.write_if.aw_channel, memory.write_if.w_channel, memory.write_if.b_channel,
                memory.read_if.ar_channel, memory.read_if.r_channel,
                processor.write_if.aw_channel, processor.write_if.w_channel,
                processor.write_if.b_channel, processor.read_if.ar_channel,
                processor.read_if.r_channel)):
            channel.set_pause_generator(pauses(n))
        content = rng.randbytes(1 << 16)
        memory.write(0, content)
        for source, target, bursts in ((0x0, 0x8000, 1), (0x1F80, 0xC080, 37)):
            for name, value in (("DMA_ADDRESS", source), ("PROGRAM_ADDRESS", target),
                                ("OUTPUTS", bursts), ("STAGE", 1)):
                answer = await processor.write(BASE + offset(name), value.to_bytes(4, "little"))
                assert answer.resp == AxiResp.OKAY
            for _ in range(1000):
                status = await processor.read(BASE + offset("STATUS"), 4)
                if not int.from_bytes(status.data, "little"):
                    break
            size = 128 * bursts
            expected = bytearray(content)
            expected[target:target + size] = content[source:source + size]
            content = bytes(expected)
            assert memory.read(0, 1 << 16) == content
        # a burst over all stage registers, there and back
        words = rng.randbytes(24)
        first = offset("DMA_BYTES")
        assert (await processor.write(BASE + first, words[:20])).resp == AxiResp.OKAY
        answer = await processor.read(BASE + first, 20)
        assert (answer.resp, answer.data) == (AxiResp.OKAY, words[:20])
        hole = await processor.read(BASE + 0xFFC, 4)
        assert (hole.resp, hole.data) == (AxiResp.OKAY, bytes(4))
        assert (await processor.write(BASE + first, b"x")).resp == AxiResp.SLVERR
        assert (await processor.read(BASE + first, 20)).data == words[:20]
