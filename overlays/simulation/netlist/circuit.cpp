// What Python calls: one circuit on its own, and the choice of the one that the harness runs.

#include "Vaccelerator.h"

namespace netlist {

static std::string chosen, error;

const std::string &chosen_path() { return chosen; }

}  // namespace netlist

using netlist::Circuit;

extern "C" {

// The circuit in a file, or null: then circuit_error() says why.
void *circuit_create(const char *path) {
    try {
        return new Circuit(path);
    } catch (const char *what) {
        netlist::error = what;
    } catch (const std::exception &what) {
        netlist::error = what.what();
    }
    return nullptr;
}
const char *circuit_error() { return netlist::error.c_str(); }
void circuit_destroy(void *handle) { delete static_cast<Circuit *>(handle); }
// 0 if there is no such port.
int circuit_set(void *handle, const char *name, uint64_t value) {
    Circuit *circuit = static_cast<Circuit *>(handle);
    const netlist::Port *port = circuit->port(name);
    if (!port || !port->is_input) return 0;
    circuit->set(*port, value);
    return 1;
}
int circuit_get(void *handle, const char *name, uint64_t *value) {
    Circuit *circuit = static_cast<Circuit *>(handle);
    const netlist::Port *port = circuit->port(name);
    if (!port) return 0;
    circuit->settle();
    *value = circuit->get(*port);
    return 1;
}
void circuit_clock(void *handle, uint64_t cycles) {
    while (cycles--) static_cast<Circuit *>(handle)->clock();
}
// The next bnn_create simulates the circuit in this file.
void circuit_choose(const char *path) { netlist::chosen = path; }
}
