"""The parameter FIFO, in its smallest form: in order, nothing lost, and nothing gets stuck."""

import pytest
from amaranth import Signal

from overlays.gateware.parameter_fifo import LATENCY, QUEUE, ParameterFifo
from tests.proofs.prover import Claims, faulty, needs_yosys

pytestmark = [pytest.mark.slow, needs_yosys]

DEPTH = 32
IN_REGISTERS = 8
"""Units beside the block RAM and the queue."""


class FifoClaims(Claims):
    def state(self):
        fifo, m = self.dut, self.m
        pushed, popped = fifo.w.valid & fifo.w.ready, fifo.r.valid & fifo.r.ready
        self.in_order(pushed, fifo.w.payload[0], popped, fifo.r.payload[0],
                      most=DEPTH + QUEUE + IN_REGISTERS)
        inside, waited = self.count(DEPTH + QUEUE + IN_REGISTERS, pushed, popped), Signal(5)
        m.d.sync += waited.eq(waited + 1)
        with m.If((inside == 0) | fifo.r.valid):
            m.d.sync += waited.eq(0)
        self.claim("what is inside comes out", waited <= LATENCY)


def test_claims(tmp_path):
    verdicts = FifoClaims(ParameterFifo(DEPTH)).prove(tmp_path)
    assert all(verdict.proved for verdict in verdicts.values()), verdicts


@pytest.mark.parametrize("right, wrong, claim", (
    ("stored < self.depth - MARGIN", "stored < self.depth + 1",
     "in order, nothing lost, nothing twice"),
    ("free.eq(free + gone - fetch)", "free.eq(free + taken + gone - fetch)",
     "in order, nothing lost, nothing twice"),
    ("any_stored.eq(counted | Mux(fetch, stored > 1, stored != 0))",
     "any_stored.eq(counted | Mux(fetch, stored > 2, stored > 1))", "what is inside comes out"),
))
def test_a_fault_is_found(tmp_path, right, wrong, claim):
    verdicts = FifoClaims(faulty(ParameterFifo, right, wrong)(DEPTH)).prove(tmp_path)
    assert not verdicts[claim].proved
