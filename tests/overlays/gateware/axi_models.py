"""AXI3 for Amaranth's simulator: a memory, a processor's GP0 master, and a checker of the rules.

All are clocked: what they drive changes after an edge and depends on what was there before it.
"""

import random
from collections import deque
from dataclasses import dataclass

from overlays.gateware.axi import HP_OUTSTANDING, MAX_BEATS, Burst

OKAY, SLVERR, DECERR = 0, 2, 3
ADDRESS = ("id", "addr", "len", "size", "burst", "lock", "cache", "prot", "qos")
PAYLOADS = {
    "ar": tuple("ar" + name for name in ADDRESS),
    "aw": tuple("aw" + name for name in ADDRESS),
    "r": ("rid", "rdata", "rresp", "rlast"),
    "w": ("wid", "wdata", "wstrb", "wlast"),
    "b": ("bid", "bresp"),
}


def channels(axi):
    """The channels that a port has: some have only those for reading or for writing."""
    return [name for name in PAYLOADS if name + "valid" in axi.signature.members]


def sampled(axi):
    """All signals of the port, and their names in the same order."""
    names = [name for channel in channels(axi)
             for name in (*PAYLOADS[channel], channel + "valid", channel + "ready")]
    return names, [getattr(axi, name) for name in names]


class Checker:
    """Asserts AXI3's rules on a port in every cycle; `finish` asserts that nothing is left over.

    Parameters
    ----------
    aligned : int
        Every burst must start at a multiple of this.
    """

    def __init__(self, axi, aligned=1):
        self.axi, self.aligned = axi, aligned
        self.reads, self.writes = {}, deque()   # ID -> beats of each burst; [ID, beats, sent]
        self.early_beats = []                   # write data ahead of their address: (ID, last)
        self.answered = 0
        self.read_bursts = self.write_bursts = 0
        self.most_outstanding = 0

    async def process(self, ctx):
        names, signals = sampled(self.axi)
        before = None
        async for _, _, *values in ctx.tick().sample(*signals):
            now = dict(zip(names, values))
            for channel in channels(self.axi):
                if before and before[channel + "valid"] and not before[channel + "ready"]:
                    for name in (*PAYLOADS[channel], channel + "valid"):
                        assert now[name] == before[name], f"{name} changed while {channel} waited"
                if now[channel + "valid"] and channel in ("ar", "aw"):
                    self.announced(channel, now)
            # a response may not come in the cycle that hands over its request: check these first
            self.responses(now)
            for channel in ("ar", "aw", "w"):
                if now.get(channel + "valid") and now[channel + "ready"]:
                    getattr(self, "take_" + channel)(now)
            before = now

    def announced(self, channel, now):
        address, beats = now[channel + "addr"], now[channel + "len"] + 1
        size = 1 << now[channel + "size"]
        assert beats <= MAX_BEATS
        assert now[channel + "burst"] != 3, "reserved burst type"
        assert size * 8 <= len(getattr(self.axi, "rdata" if channel == "ar" else "wdata"))
        assert address % self.aligned == 0, f"0x{address:08X} is not aligned"
        if now[channel + "burst"] == Burst.INCR.value:
            last = (address // size + beats) * size - 1
            assert address >> 12 == last >> 12, "a burst crosses 4 KiB"

    def take_ar(self, now):
        self.reads.setdefault(now["arid"], deque()).append([now["arlen"] + 1])
        self.read_bursts += 1
        self.most_outstanding = max(self.most_outstanding, sum(map(len, self.reads.values())))

    def take_aw(self, now):
        self.writes.append([now["awid"], now["awlen"] + 1, 0])
        self.write_bursts += 1
        for beat in self.early_beats:
            self.count_beat(*beat)
        self.early_beats = []
        self.most_outstanding = max(self.most_outstanding, len(self.writes))

    def take_w(self, now):
        beat = now["wid"], now["wlast"]
        if any(sent < beats for _, beats, sent in self.writes):
            self.count_beat(*beat)
        else:
            self.early_beats.append(beat)

    def count_beat(self, identity, last):
        burst = next(burst for burst in self.writes if burst[2] < burst[1])
        assert burst[0] == identity, "WID is not the address's ID"
        burst[2] += 1
        assert last == (burst[2] == burst[1]), "WLAST is wrong"

    def responses(self, now):
        if now.get("rvalid"):
            queue = self.reads.get(now["rid"])
            assert queue, "read data without a request"
            left = queue[0][0]
            assert now["rlast"] == (left == 1), "RLAST is wrong"
            if now["rready"]:
                queue[0][0] -= 1
                if left == 1:
                    queue.popleft()
        if now.get("bvalid"):
            own = [burst for burst in self.writes if burst[0] == now["bid"]]
            assert own, "write response without a request"
            assert own[0][1] == own[0][2], "write response before the last data"
            if now["bready"]:
                self.writes.remove(own[0])
                self.answered += 1

    def finish(self):
        assert not any(self.reads.values()), "read data never came or were never taken"
        assert not self.writes, "a write was not ended or not answered"
        assert not self.early_beats, "write data without an address"
        assert self.answered == self.write_bursts


@dataclass
class Timing:
    """How fast a memory answers; chances are those of a channel's not moving in a cycle.

    `latency`: cycles from ARVALID & ARREADY to RVALID, from the last of AW and W to BVALID.
    `bandwidth`: bytes a cycle over all ports together, at most 8 a port and direction.
    `accepts`: bursts of each direction that a port takes before it has answered the first.
    """

    latency: int = 40
    bandwidth: float = 16
    stall: float = 0.0
    seed: int = 0
    accepts: int = HP_OUTSTANDING


class Memory:
    """DRAM behind HP ports: `content` maps the address of a 64-bit word to its value.

    `errors` maps the address of a 64-bit word to the response that its beat (or write burst) gets.
    A word that was never written reads as a function of its address.
    """

    def __init__(self, timing, errors=None):
        self.timing, self.errors = timing, dict(errors or {})
        self.content = {}
        self.random = random.Random(timing.seed)
        self.tokens = 0.0

    def word(self, address):
        return self.content.get(address, (address * 0x9E3779B97F4A7C15 + 1) % (1 << 64))

    def unit(self, address):
        return self.word(address) | self.word(address + 8) << 64

    def stalls(self):
        return self.random.random() < self.timing.stall

    def take_tokens(self):
        if self.tokens < 8:
            return False
        self.tokens -= 8
        return True

    def processes(self, ports):
        """Processes for the simulator; the first port's also fills the bandwidth."""
        for number, axi in enumerate(ports):
            yield self._port(axi, number == 0)

    def _port(self, axi, first):
        reads, writes = "ar" in channels(axi), "aw" in channels(axi)
        names, signals = sampled(axi)

        async def process(ctx):
            reader, writer = _Reader(self, axi, ctx), _Writer(self, axi, ctx)
            async for _, _, *values in ctx.tick().sample(*signals):
                now = dict(zip(names, values))
                if first:
                    self.tokens = min(self.tokens + self.timing.bandwidth, 64)
                if reads:
                    reader.step(now)
                if writes:
                    writer.step(now)
        return process


class _Reader:
    def __init__(self, memory, axi, ctx):
        self.memory, self.axi, self.ctx = memory, axi, ctx
        self.bursts = deque()   # (cycle of the first data, ID, address)
        self.cycle, self.beat, self.valid = 0, 0, False

    def step(self, now):
        memory, ctx, axi = self.memory, self.ctx, self.axi
        self.cycle += 1
        if now["arvalid"] and now["arready"]:
            assert (now["arlen"], now["arsize"]) == (MAX_BEATS - 1, 3)
            self.bursts.append((self.cycle + memory.timing.latency - 1, now["arid"],
                                now["araddr"]))
        if now["rvalid"] and now["rready"]:
            self.valid = False
            if now["rlast"]:
                self.bursts.popleft()
        if not self.valid and self.bursts and self.bursts[0][0] <= self.cycle and (
                not memory.stalls() and memory.take_tokens()):
            _, identity, address = self.bursts[0]
            address += 8 * self.beat
            self.beat = (self.beat + 1) % MAX_BEATS
            self.valid = True
            ctx.set(axi.rid, identity)
            ctx.set(axi.rdata, memory.word(address))
            ctx.set(axi.rresp, memory.errors.get(address, OKAY))
            ctx.set(axi.rlast, self.beat == 0)
        ctx.set(axi.rvalid, self.valid)
        ctx.set(axi.arready, len(self.bursts) < memory.timing.accepts and not memory.stalls())


class _Writer:
    def __init__(self, memory, axi, ctx):
        self.memory, self.axi, self.ctx = memory, axi, ctx
        self.addresses, self.beats, self.answers = deque(), deque(), deque()
        self.cycle, self.valid = 0, False

    def step(self, now):
        memory, ctx, axi = self.memory, self.ctx, self.axi
        self.cycle += 1
        if now["awvalid"] and now["awready"]:
            assert (now["awlen"], now["awsize"]) == (MAX_BEATS - 1, 3)
            self.addresses.append((now["awid"], now["awaddr"]))
        if now["wvalid"] and now["wready"]:
            self.beats.append((now["wdata"], now["wstrb"]))
        if now["bvalid"] and now["bready"]:
            self.valid = False
        if self.addresses and len(self.beats) >= MAX_BEATS:
            identity, address = self.addresses.popleft()
            response = max(memory.errors.get(address + 8 * n, OKAY) for n in range(MAX_BEATS))
            for n in range(MAX_BEATS):
                self.store(address + 8 * n, *self.beats.popleft(), response)
            self.answers.append((self.cycle + memory.timing.latency - 1, identity, response))
        if not self.valid and self.answers and self.answers[0][0] <= self.cycle and (
                not memory.stalls()):
            _, identity, response = self.answers.popleft()
            self.valid = True
            ctx.set(axi.bid, identity)
            ctx.set(axi.bresp, response)
        ctx.set(axi.bvalid, self.valid)
        room = len(self.addresses) + len(self.answers) < memory.timing.accepts
        ctx.set(axi.awready, room and not memory.stalls())
        ctx.set(axi.wready, bool(now["wvalid"]) and len(self.beats) < 4 * MAX_BEATS
                and not memory.stalls() and memory.take_tokens())

    def store(self, address, value, strobes, response):
        if response == OKAY and strobes:
            mask = sum(0xFF << 8 * n for n in range(8) if strobes >> n & 1)
            self.memory.content[address] = (
                self.memory.word(address) & ~mask | value & mask)


class Processor:
    """A master on GP0 with random gaps on every channel; address and data of a write in any order.

    `read` and `write` may run side by side in two testbenches.
    """

    def __init__(self, axi, gap=0.0, seed=0):
        self.axi, self.gap = axi, gap
        self.random = random.Random(seed)

    def waits(self):
        return self.random.random() < self.gap

    async def _send(self, ctx, channel, payloads):
        """Yield after each cycle; sends one payload after the other."""
        valid = getattr(self.axi, channel + "valid")
        for payload in payloads:
            while self.waits():
                yield
            for name, value in payload.items():
                ctx.set(getattr(self.axi, name), value)
            ctx.set(valid, 1)
            while True:
                ready = ctx.get(getattr(self.axi, channel + "ready"))
                yield
                if ready:
                    break
            ctx.set(valid, 0)

    async def _receive(self, ctx, channel, count, into):
        ready = getattr(self.axi, channel + "ready")
        for _ in range(count):
            while True:
                ctx.set(ready, not self.waits())
                taken = ctx.get(ready) and ctx.get(getattr(self.axi, channel + "valid"))
                values = {name: ctx.get(getattr(self.axi, name)) for name in PAYLOADS[channel]}
                yield
                if taken:
                    into.append(values)
                    break
        ctx.set(ready, 0)

    async def _run(self, ctx, steps, limit=4000):
        steps = list(steps)
        for _ in range(limit):
            left = []
            for step in steps:
                try:
                    await step.__anext__()
                    left.append(step)
                except StopAsyncIteration:
                    pass
            steps = left
            if not steps:
                return
            await ctx.tick()
        raise AssertionError("the slave does not answer")

    async def read(self, ctx, address, beats=1, burst=Burst.INCR, size=2, identity=0):
        """A burst of reads; (data, response) of each beat."""
        got = []
        await self._run(ctx, [
            self._send(ctx, "ar", [{"arid": identity, "araddr": address, "arlen": beats - 1,
                                    "arsize": size, "arburst": burst}]),
            self._receive(ctx, "r", beats, got)])
        assert all(beat["rid"] == identity for beat in got)
        return [(beat["rdata"], beat["rresp"]) for beat in got]

    async def write(self, ctx, address, values, burst=Burst.INCR, size=2, identity=0,
                    strobes=None):
        """A burst of writes; its response."""
        got = []
        strobes = strobes or [0xF] * len(values)
        data = [{"wid": identity, "wdata": value, "wstrb": strobe,
                 "wlast": n == len(values) - 1}
                for n, (value, strobe) in enumerate(zip(values, strobes))]
        await self._run(ctx, [
            self._send(ctx, "aw", [{"awid": identity, "awaddr": address, "awlen": len(values) - 1,
                                    "awsize": size, "awburst": burst}]),
            self._send(ctx, "w", data), self._receive(ctx, "b", 1, got)])
        assert got[0]["bid"] == identity
        return got[0]["bresp"]
