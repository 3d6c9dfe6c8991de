// The accelerator under Verilator: a processor on GP0, a DDR memory behind its HP ports.
//
// Memory model: every accepted read or write burst is answered no sooner than `latency` cycles later; all
// ports together move at most `bytes_per_cycle` bytes in a cycle; a port takes 8 bursts of each
// direction before it answers the first (UG585, AXI_HP).  With `irregular` it behaves as a port of real
// hardware may: gaps between beats, long lows of every READY, late write responses, refresh pauses.
// `bnn_stale` leaves answers in the ports that nobody of this accelerator asked for; `bnn_silence` lets
// the memory answer nothing any more.  In every cycle the masters' side of AXI3
// is checked: what is VALID must stay until READY, bursts are 16 aligned INCR beats (so within 4 KiB),
// WLAST and WID are right, all strobes of a beat are set or (a write given up) none.

#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "Vaccelerator.h"
#include "verilated.h"

// Amaranth joins interface and signal by two underscores; Verilator spells the second in hex.
#define PORT(interface, signal) interface##___05F##signal

#if PORTS == 1
#define FOR_PORTS(DO) DO(0)
#elif PORTS == 2
#define FOR_PORTS(DO) DO(0) DO(1)
#else
#define FOR_PORTS(DO) DO(0) DO(1) DO(2) DO(3)
#endif

double sc_time_stamp() { return 0; }

namespace {

constexpr unsigned kPorts = PORTS;
constexpr int kOutstanding = 8;
constexpr int kBeats = 16;
constexpr int kBeatBytes = 8;
constexpr uint32_t kOkay = 0, kDecodeError = 3;
constexpr int kGiveUpCycles = 100000;

// An irregular port: one beat in four comes after a gap of 1 to 3 cycles, one in 256 after a gap of up to
// 100; the READYs of addresses and write data likewise; write responses come up to 300 cycles later; every
// 780 cycles (7.8 us at 100 MHz) a refresh of 26 cycles.
constexpr unsigned kGap = 4, kLongGap = 256, kGapCycles = 3, kLongGapCycles = 100, kLateCycles = 300;
constexpr uint64_t kRefreshEvery = 780, kRefreshCycles = 26;

struct Fault {
    uint32_t address, bytes;
    bool on_write;
    uint32_t response;
};

struct Burst {
    uint64_t due;
    uint32_t address, id;
    int beat;
};

struct Memory {
    uint8_t *data;
    uint64_t size;
    uint32_t base;
    int latency, bytes_per_cycle;
    int budget = 0;
    uint64_t now = 0, bytes_read = 0, bytes_written = 0;
    std::vector<Fault> faults;
    std::string complaint;
    bool irregular = false, silent = false;
    std::mt19937 random;

    bool refreshing() const { return irregular && now % kRefreshEvery < kRefreshCycles; }
    // Cycles of the gap before the next beat.
    int gap() {
        if (!irregular) return 0;
        unsigned draw = random();
        if (draw % kLongGap == 0) return 1 + draw / kLongGap % kLongGapCycles;
        return draw % kGap == 0 ? 1 + draw / kGap % kGapCycles : 0;
    }
    int late() { return irregular ? random() % kLateCycles : 0; }

    void complain(const char *what) {
        if (complaint.empty()) complaint = std::string(what) + " in cycle " + std::to_string(now);
    }
    uint32_t response(uint32_t address, bool on_write) const {
        for (const Fault &fault : faults)
            if (fault.on_write == on_write && address + kBeatBytes > fault.address
                && address < fault.address + fault.bytes)
                return fault.response;
        return address < base || address - base + kBeatBytes > size ? kDecodeError : kOkay;
    }
    bool spend() {
        if (budget < kBeatBytes) return false;
        budget -= kBeatBytes;
        return true;
    }
};

// A VALID that waits for READY must not change; `payload` is everything it carries.
struct Steady {
    bool waiting = false;
    std::vector<uint64_t> before;
    void check(Memory &memory, bool valid, bool ready, std::vector<uint64_t> payload,
               const char *what) {
        if (waiting && (!valid || payload != before)) memory.complain(what);
        waiting = valid && !ready;
        before = std::move(payload);
    }
};

struct Address {
    bool valid;
    uint32_t id, address, length, size, burst;
};

void check_address(Memory &memory, const Address &a) {
    if (a.length != kBeats - 1 || a.size != 3 || a.burst != 1)
        memory.complain("a burst that is not 16 INCR beats of 64 bits");
    if (a.address % (kBeats * kBeatBytes)) memory.complain("a burst that is not aligned");
}

struct ReadPort {
    std::deque<Burst> queue;
    bool valid = false;
    int gap = 0, low = 0;
    Steady steady;
    uint64_t beat = 0;
    uint32_t answer = kOkay;

    bool ready() const { return queue.size() < kOutstanding && !low; }
    // Decide what R shows in this cycle.
    void present(Memory &memory) {
        if (low) --low;
        if (valid || queue.empty() || memory.now < queue.front().due || memory.silent) return;
        if (gap && gap--) return;
        if (memory.refreshing() || !memory.spend()) return;
        Burst &burst = queue.front();
        uint32_t address = burst.address + burst.beat * kBeatBytes;
        answer = memory.response(address, false);
        beat = 0;
        if (answer == kOkay) std::memcpy(&beat, memory.data + (address - memory.base), kBeatBytes);
        memory.bytes_read += kBeatBytes;
        valid = true;
    }
    bool last() const { return !queue.empty() && queue.front().beat == kBeats - 1; }
    uint32_t id() const { return queue.empty() ? 0 : queue.front().id; }
    void clock(Memory &memory, const Address &a, bool taken) {
        steady.check(memory, a.valid, ready(), {a.id, a.address, a.length, a.size, a.burst},
                     "AR changed while it waited");
        bool accept = a.valid && ready();
        if (valid && taken) {
            valid = false;
            gap = memory.gap();
            if (++queue.front().beat == kBeats) queue.pop_front();
        }
        if (accept) {
            check_address(memory, a);
            low = memory.gap();
            queue.push_back({memory.now + memory.latency, a.address, a.id, 0});
        }
    }
    // What is left of a burst that somebody else asked for.
    void stale(const Memory &memory, int beats) {
        queue.push_back({memory.now + memory.latency, memory.base, 0, kBeats - beats});
    }
};

struct WritePort {
    std::deque<Burst> queue, answers;
    bool data_ready = false;
    int gap = 0, low = 0;
    uint32_t worst = kOkay;
    Steady steady_address, steady_data;

    bool ready() const { return queue.size() + answers.size() < kOutstanding && !low; }
    void present(Memory &memory) {
        if (low) --low;
        if (data_ready || queue.empty() || memory.silent) return;
        if (gap && gap--) return;
        data_ready = !memory.refreshing() && memory.spend();
    }
    bool answer(const Memory &memory) const {
        return !answers.empty() && memory.now >= answers.front().due && !memory.silent;
    }
    void stale(const Memory &memory) {
        answers.push_back({memory.now + memory.latency, kOkay, 0, 0});
    }
    void clock(Memory &memory, const Address &a, bool wvalid, uint32_t wid, uint64_t wdata,
               uint32_t wstrb, bool wlast, bool bready) {
        steady_address.check(memory, a.valid, ready(), {a.id, a.address, a.length, a.size, a.burst},
                             "AW changed while it waited");
        steady_data.check(memory, wvalid, data_ready, {wid, wdata, wstrb, wlast},
                          "W changed while it waited");
        bool accept = a.valid && ready();
        if (answer(memory) && bready) answers.pop_front();
        if (wvalid && data_ready) {
            data_ready = false;
            gap = memory.gap();
            Burst &burst = queue.front();
            uint32_t address = burst.address + burst.beat * kBeatBytes;
            if (wid != burst.id) memory.complain("WID is not the burst's");
            if (wstrb != 0xFF && wstrb != 0) memory.complain("a strobe is missing");
            if (wlast != (burst.beat == kBeats - 1)) memory.complain("WLAST is wrong");
            uint32_t answer = memory.response(address, true);
            if (answer != kOkay)
                worst = answer;
            else if (wstrb)
                std::memcpy(memory.data + (address - memory.base), &wdata, kBeatBytes);
            memory.bytes_written += kBeatBytes;
            if (++burst.beat == kBeats) {
                // the answer stands where a burst's address does
                uint64_t due = memory.now + memory.latency + memory.late();
                if (!answers.empty() && due < answers.back().due) due = answers.back().due;
                answers.push_back({due, worst, burst.id, 0});
                queue.pop_front();
                worst = kOkay;
            }
        }
        if (accept) {
            check_address(memory, a);
            low = memory.gap();
            queue.push_back({memory.now, a.address, a.id, 0});
        }
    }
};

struct Simulation {
    Memory memory;
    VerilatedContext context;
    Vaccelerator top;
    ReadPort reads[kPorts];
    WritePort writes;

    Simulation(uint8_t *data, uint64_t size, uint32_t base, int latency, int bytes_per_cycle)
        : memory{data, size, base, latency, bytes_per_cycle}, top(&context) {
        top.clk = 0;
        // as in the Zynq the clock domain has no reset of its own: flip-flops begin with their
        // initial values, and the accelerator's reset is a port
        top.rst = 0;
        reset(8);
    }

    void tick() {
        memory.budget = memory.budget + memory.bytes_per_cycle;
        if (memory.budget > 2 * memory.bytes_per_cycle) memory.budget = 2 * memory.bytes_per_cycle;
        // the ports take turns at being first
        for (unsigned n = 0; n < kPorts; ++n) reads[(n + memory.now) % kPorts].present(memory);
        writes.present(memory);

#define PRESENT(n)                                            \
    top.PORT(hp##n##_read, arready) = reads[n].ready();       \
    top.PORT(hp##n##_read, rvalid) = reads[n].valid;          \
    top.PORT(hp##n##_read, rdata) = reads[n].beat;            \
    top.PORT(hp##n##_read, rresp) = reads[n].answer;          \
    top.PORT(hp##n##_read, rlast) = reads[n].last();          \
    top.PORT(hp##n##_read, rid) = reads[n].id();
        FOR_PORTS(PRESENT)
        top.PORT(hp0_write, awready) = writes.ready();
        top.PORT(hp0_write, wready) = writes.data_ready;
        bool answer = writes.answer(memory);
        top.PORT(hp0_write, bvalid) = answer;
        top.PORT(hp0_write, bid) = answer ? writes.answers.front().id : 0;
        top.PORT(hp0_write, bresp) = answer ? writes.answers.front().address : 0;
        top.clk = 0;
        top.eval();

#define CLOCK(n)                                                                               \
    reads[n].clock(memory, {bool(top.PORT(hp##n##_read, arvalid)), top.PORT(hp##n##_read, arid),  \
                            top.PORT(hp##n##_read, araddr), top.PORT(hp##n##_read, arlen),        \
                            top.PORT(hp##n##_read, arsize), top.PORT(hp##n##_read, arburst)},     \
                   top.PORT(hp##n##_read, rready));
        FOR_PORTS(CLOCK)
        writes.clock(memory, {bool(top.PORT(hp0_write, awvalid)), top.PORT(hp0_write, awid),
                              top.PORT(hp0_write, awaddr), top.PORT(hp0_write, awlen), top.PORT(hp0_write, awsize),
                              top.PORT(hp0_write, awburst)}, top.PORT(hp0_write, wvalid), top.PORT(hp0_write, wid),
                     top.PORT(hp0_write, wdata), top.PORT(hp0_write, wstrb), top.PORT(hp0_write, wlast),
                     top.PORT(hp0_write, bready));
        top.clk = 1;
        top.eval();
        ++memory.now;
    }

    // FCLK_RESET0_N: the fabric begins anew, the memory's ports know nothing of it.
    void reset(int cycles) {
        top.reset = 1;
        for (int n = 0; n < cycles; ++n) tick();
        top.reset = 0;
        tick();
    }

    // One register access on GP0; its response, or -1 if none came.
    int read(uint32_t address, uint32_t *value) {
        top.PORT(gp, araddr) = address;
        top.PORT(gp, arlen) = 0;
        top.PORT(gp, arsize) = 2;
        top.PORT(gp, arburst) = 1;
        top.PORT(gp, arid) = 0x123;
        top.PORT(gp, arvalid) = 1;
        top.PORT(gp, rready) = 1;
        for (int n = 0; n < kGiveUpCycles; ++n) {
            top.clk = 0;
            top.eval();
            bool accepted = top.PORT(gp, arvalid) && top.PORT(gp, arready), answered = top.PORT(gp, rvalid);
            uint32_t data = top.PORT(gp, rdata), response = top.PORT(gp, rresp);
            if (answered && top.PORT(gp, rid) != 0x123) memory.complain("RID is not the request's");
            tick();
            if (accepted) top.PORT(gp, arvalid) = 0;
            if (answered) {
                *value = data;
                top.PORT(gp, rready) = 0;
                return int(response);
            }
        }
        return -1;
    }
    int write(uint32_t address, uint32_t value) {
        top.PORT(gp, awaddr) = address;
        top.PORT(gp, awlen) = 0;
        top.PORT(gp, awsize) = 2;
        top.PORT(gp, awburst) = 1;
        top.PORT(gp, awid) = 0x456;
        top.PORT(gp, awvalid) = 1;
        top.PORT(gp, wdata) = value;
        top.PORT(gp, wstrb) = 0xF;
        top.PORT(gp, wlast) = 1;
        top.PORT(gp, wid) = 0x456;
        top.PORT(gp, wvalid) = 1;
        top.PORT(gp, bready) = 1;
        for (int n = 0; n < kGiveUpCycles; ++n) {
            top.clk = 0;
            top.eval();
            bool accepted = top.PORT(gp, awvalid) && top.PORT(gp, awready);
            bool taken = top.PORT(gp, wvalid) && top.PORT(gp, wready), answered = top.PORT(gp, bvalid);
            uint32_t response = top.PORT(gp, bresp);
            if (answered && top.PORT(gp, bid) != 0x456) memory.complain("BID is not the request's");
            tick();
            if (accepted) top.PORT(gp, awvalid) = 0;
            if (taken) top.PORT(gp, wvalid) = 0;
            if (answered) {
                top.PORT(gp, bready) = 0;
                return int(response);
            }
        }
        return -1;
    }
};

}  // namespace

extern "C" {

void *bnn_create(uint8_t *data, uint64_t size, uint32_t base, int latency, int bytes_per_cycle) {
    return new Simulation(data, size, base, latency, bytes_per_cycle);
}
void bnn_destroy(void *handle) { delete static_cast<Simulation *>(handle); }
int bnn_read(void *handle, uint32_t address, uint32_t *value) {
    return static_cast<Simulation *>(handle)->read(address, value);
}
int bnn_write(void *handle, uint32_t address, uint32_t value) {
    return static_cast<Simulation *>(handle)->write(address, value);
}
// Run until the accelerator is idle or `cycles` have passed; the cycles run.
uint64_t bnn_run(void *handle, uint64_t cycles) {
    Simulation *simulation = static_cast<Simulation *>(handle);
    uint64_t n = 0;
    while (n < cycles && simulation->top.busy) simulation->tick(), ++n;
    return n;
}
uint64_t bnn_cycles(void *handle) { return static_cast<Simulation *>(handle)->memory.now; }
uint64_t bnn_bytes_read(void *handle) {
    return static_cast<Simulation *>(handle)->memory.bytes_read;
}
uint64_t bnn_bytes_written(void *handle) {
    return static_cast<Simulation *>(handle)->memory.bytes_written;
}
void bnn_fail(void *handle, uint32_t address, uint32_t bytes, int on_write, uint32_t response) {
    static_cast<Simulation *>(handle)->memory.faults.push_back(
        {address, bytes, on_write != 0, response});
}
void bnn_clear_faults(void *handle) { static_cast<Simulation *>(handle)->memory.faults.clear(); }
// Let the memory's ports behave irregularly from now on, in the way that `seed` gives.
void bnn_irregular(void *handle, uint32_t seed) {
    Memory &memory = static_cast<Simulation *>(handle)->memory;
    memory.irregular = true;
    memory.random.seed(seed);
}
// Leave `beats` of a foreign burst in each read port and `responses` in the write port.
void bnn_stale(void *handle, int beats, int responses) {
    Simulation *simulation = static_cast<Simulation *>(handle);
    for (unsigned n = 0; n < kPorts; ++n) simulation->reads[n].stale(simulation->memory, beats);
    for (int n = 0; n < responses; ++n) simulation->writes.stale(simulation->memory);
}
// From now on the memory answers nothing, or (0) all it owes and all that comes.
void bnn_silence(void *handle, int silent) {
    static_cast<Simulation *>(handle)->memory.silent = silent != 0;
}
void bnn_reset(void *handle, int cycles) { static_cast<Simulation *>(handle)->reset(cycles); }
// Let so many cycles pass, whatever the accelerator does.
void bnn_pass(void *handle, uint64_t cycles) {
    while (cycles--) static_cast<Simulation *>(handle)->tick();
}
// The first AXI rule broken since the start, or an empty string.
const char *bnn_complaint(void *handle) {
    return static_cast<Simulation *>(handle)->memory.complaint.c_str();
}
}
