/* One move: what it touches, and whether it is worth making. */
#ifndef MOVE_H
#define MOVE_H

#include "problem.h"

enum { MOST_NETS = 65536 };

/* A move: the nets that it touches, and what they cost before and after. */
typedef struct {
    int32_t count, nets[MOST_NETS];
    float after[MOST_NETS];
} Touched;

static void touch(Problem *p, Touched *t, int32_t unit)
{
    if (unit < 0)
        return;
    for (int32_t i = p->unit_ptr[unit]; i < p->unit_ptr[unit + 1]; i++) {
        const int32_t net = p->unit_nets[i];
        if (p->stamp[net] != p->now && t->count < MOST_NETS) {
            p->stamp[net] = p->now;
            t->nets[t->count++] = net;
        }
    }
}

static int better(Problem *p, Touched *t, float temperature, float delta)
{
    for (int32_t i = 0; i < t->count; i++)
        delta += (t->after[i] = net_cost(p, t->nets[i], NULL)) - p->cost[t->nets[i]];
    if (delta > 0 && !((float)(next_random(p) >> 8) / 16777216.0f < expf(-delta / temperature)))
        return 0;
    for (int32_t i = 0; i < t->count; i++)
        p->cost[t->nets[i]] = t->after[i];
    return 1;
}

static void begin(Problem *p, Touched *t)
{
    p->now++;
    t->count = 0;
}

#endif
