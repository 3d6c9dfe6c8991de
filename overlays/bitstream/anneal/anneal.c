/* Simulated annealing of a legal placement: slices, quarters of slices and block RAMs change places.
 *
 * What belongs together stays together, so a placement that was legal stays legal:
 * - a block is what lies in one slice, or in the slices of one carry chain; it changes places with
 *   what lies in as many slices elsewhere, be it nothing;
 * - a lane is a quarter of a slice, its LUTs and the flip-flops that they lead to; a loose flip-flop
 *   is one that a lane has room for.  Both change places between slices that hold nothing else, if
 *   the controls of their flip-flops allow it;
 * - a block RAM is a place of 36 Kb, or one of its halves.
 *
 * The cost is VPR's (Betz and Rose 1997; Marquardt, Betz and Rose 2000): half the perimeter of each
 * net's box, more for nets of many pins, and each connection's delay by how critical it is.
 */
#include <stdlib.h>
#include <string.h>

#include "rams.h"
#include "slices.h"

/* All costs anew, as weights changed; the wire. */
double total_wire(Problem *p)
{
    double wire = 0;
    for (int32_t net = 0; net < p->nets; net++)
        p->cost[net] = net_cost(p, net, &wire);
    return wire;
}

double total_cost(const Problem *p)
{
    double cost = 0;
    for (int32_t net = 0; net < p->nets; net++)
        cost += p->cost[net];
    return cost;
}

static int happens(Problem *p, float share)
{
    return (float)(next_random(p) >> 8) < share * 16777216.0f;
}

/* Try so many moves; the share made of those that were possible, without block RAMs'.
 *
 * Shares: block RAMs' of all; of the others lanes' and flip-flops'; of both the drawn ones.
 */
double anneal(Problem *p, int64_t moves, float rams, float units, float drawn, int32_t range,
              float temperature)
{
    Touched *t = malloc(sizeof(Touched));
    int64_t made = 0, possible = 0;
    if (!t)
        return -1;
    memset(p->stamp, 0, sizeof(*p->stamp) * (size_t)p->nets); /* so `now` can't run over */
    p->now = 0;
    for (int64_t i = 0; i < moves; i++) {
        if (p->rams && happens(p, rams)) {
            move_ram(p, t, temperature);
            continue;
        }
        const int is_unit = p->movable && happens(p, units);
        const int result = (is_unit ? move_unit : move_block)(
            p, t, happens(p, drawn), range, temperature);
        possible += result >= 0;
        made += result > 0;
    }
    free(t);
    return possible ? (double)made / (double)possible : 0;
}

/* Arrivals, slacks and from these the connections' weights; the worst slack.
 *
 * Half of a weight is the one before: else what was critical goes and what was not comes, in turn.
 */
double weigh(Problem *p, float period, float most, float exponent)
{
    float worst = NEVER;
    for (int32_t n = 0; n < p->nodes; n++) {
        p->arrival[n] = p->launch[n];
        p->latest[n] = period - p->required[n];
    }
    for (int pass = 0; pass < 2; pass++)
        for (int32_t i = 0; i < p->arcs; i++) {
            const int32_t a = pass ? p->arcs - 1 - i : i;
            const int32_t source = p->arc_source[a], sink = p->arc_sink[a], pin = p->arc_pin[a];
            float delay = p->arc_delay[a];
            if (pin >= 0) {
                const int32_t from = p->row_of[p->pin_unit[p->net_ptr[p->arc_net[a]]]];
                const int32_t to = p->row_of[p->pin_unit[pin]];
                delay = delay_of(p->row_across[to] - p->row_across[from],
                                 p->row_down[to] - p->row_down[from], to == from);
            }
            if (!pass) {
                p->arrival[sink] = fmaxf(p->arrival[sink], p->arrival[source] + delay);
                continue;
            }
            const float slack = p->latest[sink] - delay - p->arrival[source];
            if (slack < worst && p->arrival[source] > -NEVER)
                worst = slack;
            if (pin >= 0) {
                const float critical = fminf(fmaxf(1 - slack / period, 0), 1.5f);
                const float now = p->arrival[source] > -NEVER ? most * powf(critical, exponent) : 0;
                p->weight[pin] += 0.5f * (now - p->weight[pin]);
            }
            p->latest[source] = fminf(p->latest[source], p->latest[sink] - delay);
        }
    return worst;
}

int32_t problem_bytes(void)
{
    return (int32_t)sizeof(Problem);
}
