/* Counts the instructions that an emulated 32-bit ARM program executes: a plugin for Debian 12's
 * qemu-user (QEMU 7.2, version 1 of its plugin interface).
 *
 * Each getsid system call, which nothing here makes by chance, prints the count so far on standard
 * error. A system call ends its block of instructions, so the count is exact there.
 *
 * QEMU's own header is under another licence and is no part of qemu-user: what is used of its
 * interface is declared here.
 */
#include <inttypes.h>
#include <stdio.h>

#define GETSID 147 /* on 32-bit ARM */
#define INLINE_ADD 0
#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_register_vcpu_tb_trans_cb(
    plugin_id id, void (*translated)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(
    struct qemu_plugin_tb *block, int operation, void *counter, uint64_t amount);
void qemu_plugin_register_vcpu_syscall_cb(
    plugin_id id, void (*called)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t,
                                 uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));

EXPORT int qemu_plugin_version = 1;
static uint64_t count;

/* Each block that is translated adds its length whenever it is executed from then on. */
static void translated(plugin_id id, struct qemu_plugin_tb *block) {
  qemu_plugin_register_vcpu_tb_exec_inline(block, INLINE_ADD, &count,
                                           qemu_plugin_tb_n_insns(block));
}

static void called(plugin_id id, unsigned cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c,
                   uint64_t d, uint64_t e, uint64_t f, uint64_t g, uint64_t h) {
  if (number == GETSID) fprintf(stderr, "instructions %" PRIu64 "\n", count);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_vcpu_syscall_cb(id, called);
  return 0;
}
