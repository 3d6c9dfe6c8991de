// Stands in for Verilator's own header, so that harness.cpp takes a netlist for its translation.

#pragma once

class VerilatedContext {};
