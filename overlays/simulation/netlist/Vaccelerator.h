// Stands in for Verilator's translation of the gateware: the same ports, a circuit behind them.
//
// The ports are the processing system's pins, named as the gateware's ports; circuit.py has joined them.
// It has no pin for `busy`: that is true, but for every kPollCycles-th look, so a poll of STATUS lets so
// many cycles pass.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "circuit.h"
#include "verilated.h"

namespace netlist {

constexpr uint32_t kPollCycles = 1000;

const std::string &chosen_path();

struct Busy {
    uint32_t looks = 0;
    explicit operator bool() { return ++looks % kPollCycles != 0; }
};

}  // namespace netlist

#define NETLIST_ADDRESS(X, port, c)                                                                    \
    X(uint32_t, port, c##id) X(uint32_t, port, c##addr) X(uint32_t, port, c##len)                      \
    X(uint32_t, port, c##size) X(uint32_t, port, c##burst) X(uint32_t, port, c##valid)                 \
    X(uint32_t, port, c##ready)
#define NETLIST_READ(X, port)                                                                          \
    NETLIST_ADDRESS(X, port, ar)                                                                       \
    X(uint32_t, port, rid) X(uint64_t, port, rdata) X(uint32_t, port, rresp) X(uint32_t, port, rlast)  \
    X(uint32_t, port, rvalid) X(uint32_t, port, rready)
#define NETLIST_WRITE(X, port)                                                                         \
    NETLIST_ADDRESS(X, port, aw)                                                                       \
    X(uint32_t, port, wid) X(uint64_t, port, wdata) X(uint32_t, port, wstrb) X(uint32_t, port, wlast)  \
    X(uint32_t, port, wvalid) X(uint32_t, port, wready) X(uint32_t, port, bid)                         \
    X(uint32_t, port, bresp) X(uint32_t, port, bvalid) X(uint32_t, port, bready)
#define NETLIST_PORTS(X)                                                                               \
    NETLIST_READ(X, gp) NETLIST_WRITE(X, gp) NETLIST_READ(X, hp0_read) NETLIST_READ(X, hp1_read)       \
    NETLIST_WRITE(X, hp0_write)

class Vaccelerator {
public:
#define NETLIST_MEMBER(type, port, signal) type port##___05F##signal = 0;
    NETLIST_PORTS(NETLIST_MEMBER)
#undef NETLIST_MEMBER
    uint8_t clk = 0, rst = 0, reset = 0;
    netlist::Busy busy;

    explicit Vaccelerator(VerilatedContext *) : circuit_(netlist::chosen_path()) {
        // a port that the circuit lacks is one that nothing in it looks at, or that is always 0
#define NETLIST_JOIN(type, port, signal) join(#port "__" #signal, &port##___05F##signal);
        NETLIST_PORTS(NETLIST_JOIN)
#undef NETLIST_JOIN
        join("reset_n", &reset_n_);
    }

    void eval() {
        if (clk && !was_high_) {
            circuit_.clock();
        } else if (!clk) {
            reset_n_ = !reset;
            for (const Joined &each : joined_)
                if (each.port->is_input)
                    circuit_.set(*each.port, each.wide ? *each.wide : *each.narrow);
            circuit_.settle();
            for (const Joined &each : joined_)
                if (!each.port->is_input) each.take(circuit_.get(*each.port));
        }
        was_high_ = clk;
    }

private:
    struct Joined {
        const netlist::Port *port;
        uint32_t *narrow;
        uint64_t *wide;
        void take(uint64_t value) const {
            if (wide) *wide = value;
            else *narrow = uint32_t(value);
        }
    };

    void join(const char *name, uint32_t *value) { join(name, value, nullptr); }
    void join(const char *name, uint64_t *value) { join(name, nullptr, value); }
    void join(const char *name, uint32_t *narrow, uint64_t *wide) {
        const netlist::Port *port = circuit_.port(name);
        if (port) joined_.push_back({port, narrow, wide});
    }

    netlist::Circuit circuit_;
    std::vector<Joined> joined_;
    uint32_t reset_n_ = 0;
    bool was_high_ = false;
};
