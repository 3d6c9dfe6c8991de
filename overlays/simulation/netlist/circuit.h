// A circuit of an FPGA's primitives, cycle by cycle: an interpreter, so that nothing has to be compiled.
//
// overlays/simulation/circuit.py writes the file: nets numbered so that neighbours in time are neighbours
// in memory, combinational primitives in an order in which each comes after what it depends on.  A net's
// value is a byte.  Everything has one clock: in a cycle all flip-flops and memories see what was, then
// change.

#pragma once

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "block_ram.h"

namespace netlist {

constexpr uint32_t kMagic = 0x434E4E42, kVersion = 1;

struct Port {
    bool is_input;
    std::vector<Net> nets;
};

class Circuit {
public:
    explicit Circuit(const std::string &path) {
        std::ifstream file(path, std::ios::binary);
        if (!file) throw "the circuit's file can't be read";
        std::string raw{std::istreambuf_iterator<char>(file), {}};
        std::vector<uint32_t> words(raw.size() / 4);
        std::memcpy(words.data(), raw.data(), 4 * words.size());
        Reader reader(words.data(), words.size());
        if (reader.word() != kMagic || reader.word() != kVersion) throw "not a circuit's file";
        load(reader);
    }

    const Port *port(const std::string &name) const {
        auto found = ports_.find(name);
        return found == ports_.end() ? nullptr : &found->second;
    }
    uint64_t get(const Port &port) const {
        uint64_t value = 0;
        for (size_t n = 0; n < port.nets.size(); ++n) value |= uint64_t(values_[port.nets[n]]) << n;
        return value;
    }
    void set(const Port &port, uint64_t value) {
        for (size_t n = 0; n < port.nets.size(); ++n) {
            uint8_t bit = value >> n & 1;
            settled_ &= values_[port.nets[n]] == bit;
            values_[port.nets[n]] = bit;
        }
    }

    // Let what isn't clocked follow the inputs, the flip-flops and the memories.
    void settle() {
        if (settled_) return;
        uint8_t *output = values_.data() + first_output_;
        const Op *op = ops_.data();
        for (const Run &run : runs_) {
            const Op *end = op + run.count;
            switch (run.kind) {
            case 0: for (; op < end; ++op) *output++ = op->content & 1; break;
            case 1: evaluate<1>(op, end, output); break;
            case 2: evaluate<2>(op, end, output); break;
            case 3: evaluate<3>(op, end, output); break;
            case 4: evaluate<4>(op, end, output); break;
            case 5: evaluate<5>(op, end, output); break;
            case 6: evaluate<6>(op, end, output); break;
            case kLutRam:
                for (; op < end; ++op) output = lut_rams_[op->content].read(index<6>(*op), output);
                break;
            default:
                for (; op < end; ++op) *output++ = shifts_[op->content].content >> index<5>(*op) & 1;
            }
        }
        settled_ = true;
    }

    // The clock rises.
    void clock() {
        settle();
        settled_ = false;
        const uint8_t *values = values_.data();
        for (Group &group : groups_) {
            group.changes = values[group.reset] || values[group.enable];
            if (!group.changes) continue;
            uint8_t *next = next_.data() + group.start;
            const Net *data = data_.data() + group.start;
            if (values[group.reset]) std::memset(next, group.reset_value, group.count);
            else for (uint32_t n = 0; n < group.count; ++n) next[n] = values[data[n]];
        }
        for (BlockRam &ram : block_rams_) ram.clock(values);
        for (LutRam &ram : lut_rams_)
            if (values[ram.enable]) ram.write(values);
        for (Shift &shift : shifts_)
            if (values[shift.enable]) shift.content = shift.content << 1 | values[shift.data];

        for (const Group &group : groups_)
            if (group.changes)
                std::memcpy(values_.data() + first_flip_flop_ + group.start, next_.data() + group.start,
                            group.count);
        for (BlockRam &ram : block_rams_) ram.commit(values_.data());
    }

private:
    static constexpr uint32_t kLutRam = 7;

    // A LUT with its content, or the number of a memory and an address.
    struct Op {
        uint64_t content;
        Net inputs[6];
    };
    // So many neighbours of one kind: a LUT's inputs, or a memory that is read.
    struct Run {
        uint32_t kind, count;
    };
    // Flip-flops with the same enable and reset.
    struct Group {
        uint32_t start, count;
        Net enable, reset;
        uint8_t reset_value;
        bool changes;
    };
    // LUT RAMs with the same addresses and enable: a row of bytes for each of 64 places.
    struct LutRam {
        Net enable, address[6];
        std::vector<Net> data;
        std::vector<uint8_t> rows;
        uint8_t *read(unsigned place, uint8_t *output) const {
            std::memcpy(output, rows.data() + place * data.size(), data.size());
            return output + data.size();
        }
        void write(const uint8_t *values) {
            unsigned place = 0;
            for (int n = 0; n < 6; ++n) place |= values[address[n]] << n;
            uint8_t *row = rows.data() + place * data.size();
            for (Net net : data) *row++ = values[net];
        }
    };
    struct Shift {
        uint32_t content;
        Net data, enable;
    };

    template <int inputs> unsigned index(const Op &op) const {
        unsigned made = 0;
        for (int n = 0; n < inputs; ++n) made |= values_[op.inputs[n]] << n;
        return made;
    }
    template <int inputs> void evaluate(const Op *&op, const Op *end, uint8_t *&output) {
        for (; op < end; ++op) *output++ = op->content >> index<inputs>(*op) & 1;
    }

    void load(Reader &file) {
        values_.resize(file.word());
        first_flip_flop_ = file.word();
        first_output_ = file.word();
        for (Net net : file.list()) values_.at(net) = 1;
        for (uint32_t count = file.word(); count; --count) {
            uint32_t kind = file.word();
            runs_.push_back({kind, file.word()});
        }
        for (const Run &run : runs_)
            for (uint32_t n = 0; n < run.count; ++n) {
                Op op{file.pair(), {}};
                for (Net &net : op.inputs) net = file.word();
                ops_.push_back(op);
            }
        for (uint32_t count = file.word(); count; --count) {
            Group group{uint32_t(data_.size()), 0, 0, 0, 0, false};
            group.enable = file.word();
            group.reset = file.word();
            group.reset_value = uint8_t(file.word());
            std::vector<Net> data = file.list();
            group.count = uint32_t(data.size());
            data_.insert(data_.end(), data.begin(), data.end());
            groups_.push_back(group);
        }
        next_.resize(data_.size());
        for (uint32_t count = file.word(); count; --count) {
            LutRam ram{file.word(), {}, {}, {}};
            for (Net &net : ram.address) net = file.word();
            ram.data = file.list();
            ram.rows.resize(64 * ram.data.size());
            for (size_t n = 0; n < ram.data.size(); ++n) {
                uint64_t content = file.pair();
                for (int place = 0; place < 64; ++place)
                    ram.rows[place * ram.data.size() + n] = content >> place & 1;
            }
            lut_rams_.push_back(ram);
        }
        for (uint32_t count = file.word(); count; --count) {
            Shift shift{file.word(), 0, 0};
            shift.data = file.word();
            shift.enable = file.word();
            shifts_.push_back(shift);
        }
        for (uint32_t count = file.word(); count; --count) block_rams_.emplace_back(file);
        for (uint32_t count = file.word(); count; --count) {
            std::string name;
            for (uint32_t letter : file.list()) name += char(letter);
            bool is_input = file.word();
            ports_[name] = {is_input, file.list()};
        }
    }

    std::vector<uint8_t> values_, next_;
    Net first_flip_flop_ = 0, first_output_ = 0;
    std::vector<Op> ops_;
    std::vector<Run> runs_;
    std::vector<Group> groups_;
    std::vector<Net> data_;
    std::vector<LutRam> lut_rams_;
    std::vector<Shift> shifts_;
    std::vector<BlockRam> block_rams_;
    std::map<std::string, Port> ports_;
    bool settled_ = false;
};

}  // namespace netlist
