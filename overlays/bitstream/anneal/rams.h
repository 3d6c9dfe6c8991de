/* Moves of block RAM: two places of 36 Kb change what they hold, or two halves do. */
#ifndef RAMS_H
#define RAMS_H

#include "move.h"

static void put_ram(Problem *p, int32_t place, int half, int32_t unit)
{
    p->ram_units[2 * place + half] = unit;
    if (unit >= 0) {
        p->row_across[p->row_of[unit]] = p->ram_across[place];
        p->row_down[p->row_of[unit]] = p->ram_down[place];
    }
}

static void swap_halves(Problem *p, int32_t a, int half, int32_t b, int other)
{
    const int32_t unit = p->ram_units[2 * a + half];
    put_ram(p, a, half, p->ram_units[2 * b + other]);
    put_ram(p, b, other, unit);
}

static void swap_rams(Problem *p, int32_t a, int32_t b)
{
    const uint8_t whole = p->ram_whole[a];
    swap_halves(p, a, 0, b, 0);
    swap_halves(p, a, 1, b, 1);
    p->ram_whole[a] = p->ram_whole[b];
    p->ram_whole[b] = whole;
}

/* 1 if a move was made, 0 if it was not worth it, -1 if there was none. */
static int move_ram(Problem *p, Touched *t, float temperature)
{
    const int32_t a = below(p, p->rams), b = below(p, p->rams);
    const int half = below(p, 2), other = below(p, 2);
    const int halves = below(p, 2) && !p->ram_whole[a] && !p->ram_whole[b];
    if (a == b)
        return -1;
    begin(p, t);
    for (int k = 0; k < 2; k++) {
        if (!halves || k == half)
            touch(p, t, p->ram_units[2 * a + k]);
        if (!halves || k == other)
            touch(p, t, p->ram_units[2 * b + k]);
    }
    if (!t->count)
        return -1;
    if (halves) swap_halves(p, a, half, b, other); else swap_rams(p, a, b);
    if (better(p, t, temperature, 0))
        return 1;
    if (halves) swap_halves(p, a, half, b, other); else swap_rams(p, a, b);
    return 0;
}

#endif
