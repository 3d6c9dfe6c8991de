// Drives the Verilog of bin_conv: a feature-map buffer, a unit stream with random stalls, a log of writes.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>

#include "Vbin_conv.h"
#include "verilated.h"

// Verilator writes the second of two underscores as its code.
#define PORT(interface, member) interface##___05F##member

struct Result {
    uint32_t cycles, busy, waiting, writes, units, first_busy, last_busy;
};

struct Write {
    uint32_t cycle, address, size, bits;
};

static constexpr int kReadLatency = FMAP_READ_LATENCY, kRowWords = 16;

extern "C" void *bin_conv_new() { return new Vbin_conv; }

extern "C" void bin_conv_reset(void *model) {
    auto *top = static_cast<Vbin_conv *>(model);
    top->rst = 1;
    top->clk = 0;
    top->eval();
    top->clk = 1;
    top->eval();
    top->rst = 0;
}

// One stage, from the cycle of `start` on; `stall` of 256 unit cycles are without a unit.  Returns the result
// with cycles = limit if `done` did not come.  Unread rows and columns of data are random.
extern "C" Result bin_conv_run(void *model, uint64_t shape, const uint32_t *rows, uint32_t row_count,
                               const uint32_t *units, uint32_t unit_count, uint32_t stall, uint32_t seed,
                               uint32_t limit, Write *log, uint32_t log_size) {
    auto *top = static_cast<Vbin_conv *>(model);
    std::mt19937 random(seed);
    Result r{};
    uint32_t addresses[kReadLatency] = {};
    bool offered = false;
    for (r.cycles = 0; r.cycles < limit; r.cycles++) {
        top->PORT(stage, start) = r.cycles == 0;
        top->PORT(stage, shape) = shape;
        uint32_t row = addresses[kReadLatency - 1];
        for (int i = 0; i < kRowWords; i++)
            top->PORT(fmap, data)[i] = row < row_count ? rows[row * kRowWords + i] : uint32_t(random());
        offered = offered || (random() & 255) >= stall;  // once offered, a unit stays
        top->PORT(units, valid) = offered && r.units < unit_count;
        for (int i = 0; i < 4; i++)
            top->PORT(units, payload)[i] = top->PORT(units, valid) ? units[r.units * 4 + i] : uint32_t(random());
#if WIDTH == 2
        top->PORT(pairs, valid) = top->PORT(units, valid);
        for (int i = 0; i < 8; i++)
            top->PORT(pairs, payload)[i] = top->PORT(pairs, valid) ? units[r.units * 4 + i] : uint32_t(random());
#endif
        top->clk = 0;
        top->eval();
        for (int i = kReadLatency - 1; i > 0; i--) addresses[i] = addresses[i - 1];
        addresses[0] = top->PORT(fmap, address);
        if (top->PORT(units, valid) && top->PORT(units, ready)) {
            r.units++;
            offered = false;
        }
#if WIDTH == 2
        if (top->PORT(pairs, valid) && top->PORT(pairs, ready)) {
            if (top->PORT(units, ready)) std::abort();  // one of the two
            r.units += 2;
            offered = false;
        }
#endif
        if (top->PORT(write, enable)) {
            if (r.writes < log_size)
                log[r.writes] = {r.cycles, top->PORT(write, address), top->PORT(write, size), top->PORT(write, bits)};
            r.writes++;
        }
        if (top->PORT(stage, busy)) {
            if (!r.busy) r.first_busy = r.cycles;
            r.last_busy = r.cycles;
            r.busy++;
        }
        r.waiting += top->PORT(stage, waiting);
        bool done = top->PORT(stage, done);
        top->clk = 1;
        top->eval();
        if (done) break;
    }
    return r;
}
