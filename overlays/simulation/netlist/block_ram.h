// One block RAM, or half of one: two ports on one memory and one clock (UG473, chapter 1).
//
// What the silicon doesn't promise is garbage here, so that a circuit that relies on it fails: what one
// port reads of a word that the other writes in the same cycle, unless the writer is READ_FIRST (UG473,
// "Conflict Avoidance"), and what stays where both write.  Words count whole, even if only some of their
// bytes are written.

#pragma once

#include <cstdint>
#include <vector>

namespace netlist {

using Net = uint32_t;

// Words of the file, in the order in which they were written.
class Reader {
public:
    Reader(const uint32_t *words, size_t count) : next_(words), end_(words + count) {}
    bool done() const { return next_ == end_; }
    uint32_t word() {
        if (done()) throw "the circuit's file ends too early";
        return *next_++;
    }
    uint64_t pair() {
        uint64_t low = word();
        return low | uint64_t(word()) << 32;
    }
    std::vector<Net> list() {
        uint32_t count = word();
        if (count > size_t(end_ - next_)) throw "the circuit's file ends too early";
        std::vector<Net> made(next_, next_ + count);
        next_ += count;
        return made;
    }

private:
    const uint32_t *next_, *end_;
};

enum WriteMode : uint32_t { kWriteFirst, kReadFirst, kNoChange };

class BlockRamPort {
public:
    explicit BlockRamPort(Reader &file)
        : enable_(file.word()), reset_(file.word()), mode_(WriteMode(file.word())),
          reset_value_(file.pair()), first_output_(file.word()), read_width_(file.word()),
          address_(file.list()), data_(file.list()), write_enables_(file.list()) {}

    // What the port is asked for in this cycle.
    void sample(const uint8_t *values) {
        enabled_ = values[enable_];
        writes_ = false;
        if (!enabled_) return;
        resets_ = values[reset_];
        address_now_ = 0;
        for (size_t n = 0; n < address_.size(); ++n) address_now_ |= values[address_[n]] << n;
        for (Net net : write_enables_) writes_ |= values[net];
    }
    bool touches(const BlockRamPort &writer) const {
        return enabled_ && writer.writes_ && base(read_width_) < writer.base(writer.write_width())
            + data_bits(writer.write_width()) && writer.base(writer.write_width()) < base(read_width_)
            + data_bits(read_width_);
    }
    bool clashes(const BlockRamPort &other) const {
        return writes_ && other.writes_ && base(write_width()) < other.base(other.write_width())
            + data_bits(other.write_width()) && other.base(other.write_width()) < base(write_width())
            + data_bits(write_width());
    }
    // The word that is read, as it stands in the memory.
    void read(const std::vector<uint8_t> &bits) {
        if (!enabled_) return;
        for (uint32_t n = 0; n < read_width_; ++n) latest_[n] = bits[place(bits, read_width_, n)];
    }
    void write(std::vector<uint8_t> &bits, const uint8_t *values, bool inverted) {
        if (!writes_) return;
        for (uint32_t n = 0; n < write_width(); ++n)
            if (values[write_enables_[n]])
                bits[place(bits, write_width(), n)] = values[data_[n]] ^ inverted;
    }
    bool reads_again() const { return writes_ && mode_ == kWriteFirst; }
    // What the other port reads of a word that this one writes is old, not garbage.
    bool keeps_old() const { return mode_ == kReadFirst; }
    bool changes() const { return enabled_ && (resets_ || !(writes_ && mode_ == kNoChange)); }
    void commit(uint8_t *values, bool garbage) {
        if (!changes()) return;
        for (uint32_t n = 0; n < read_width_; ++n)
            values[first_output_ + n] = resets_ ? reset_value_ >> n & 1 : latest_[n] ^ garbage;
    }

private:
    uint32_t write_width() const { return uint32_t(data_.size()); }
    // Every ninth bit is a parity bit, from 9 bits on.
    static uint32_t data_bits(uint32_t width) { return width < 9 ? width : width / 9 * 8; }
    uint32_t base(uint32_t width) const {
        return width ? address_now_ & ~(data_bits(width) - 1) : address_now_;
    }
    // The memory holds all data bits, then all parity bits.
    uint32_t place(const std::vector<uint8_t> &bits, uint32_t width, uint32_t n) const {
        uint32_t data = data_bits(width), first = base(width);
        return n < data ? first + n : uint32_t(bits.size() / 9 * 8) + first / 8 + n - data;
    }

    Net enable_, reset_;
    WriteMode mode_;
    uint64_t reset_value_;
    Net first_output_;
    uint32_t read_width_;
    std::vector<Net> address_, data_, write_enables_;
    bool enabled_ = false, resets_ = false, writes_ = false;
    uint32_t address_now_ = 0;
    uint8_t latest_[72] = {};
};

class BlockRam {
public:
    explicit BlockRam(Reader &file) : bits_(file.word()), ports_{BlockRamPort(file), BlockRamPort(file)} {
        for (uint32_t place : file.list()) bits_.at(place) = 1;
    }
    // The clock rises; outputs wait for commit(), because others still look at what they were.
    void clock(const uint8_t *values) {
        for (BlockRamPort &port : ports_) port.sample(values);
        for (int n = 0; n < 2; ++n) {
            const BlockRamPort &other = ports_[1 - n];
            garbage_[n] = ports_[n].touches(other)
                && !(other.keeps_old() && !ports_[n].reads_again());
            ports_[n].read(bits_);
        }
        bool clash = ports_[0].clashes(ports_[1]);
        for (BlockRamPort &port : ports_) port.write(bits_, values, clash);
        for (BlockRamPort &port : ports_)
            if (port.reads_again()) port.read(bits_);
    }
    void commit(uint8_t *values) {
        for (int n = 0; n < 2; ++n) ports_[n].commit(values, garbage_[n]);
    }

private:
    std::vector<uint8_t> bits_;
    BlockRamPort ports_[2];
    bool garbage_[2] = {};
};

}  // namespace netlist
