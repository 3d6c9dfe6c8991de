/* A placement as arrays, and what its nets cost. */
#ifndef PROBLEM_H
#define PROBLEM_H

#include <math.h>
#include <stdint.h>

enum { LANES = 4, SLOTS = 2 * LANES };
/* Columns and half rows round a block RAM from where a wire is too short for its hold time. */
enum { BESIDE = 6, TALL_RAM = 10 };
static const float NEVER = 1e8f, TOO_NEAR = 60;

typedef struct {
    /* Places, x * height + y: 0 none, 1 a slice, 2 one with memory; where each is, as wires count. */
    int32_t columns, height, region, slices; /* of a tile: columns that share switch boxes */
    const uint8_t *kind;
    const int32_t *across, *down;
    const int32_t *column_at, *line_at; /* that of the nearest tile, by `across` and `down` */
    /* Blocks: a run of rows.  Every place has one, if only an empty one. */
    int32_t blocks;
    const int32_t *first_row, *rows_of;
    const uint8_t *wants_memory, *is_empty;
    int32_t *place_of, *occupant;
    /* Rows: what lies in a slice; those that are in none never move. */
    int32_t rows;
    int32_t *row_place, *row_across, *row_down;
    const uint8_t *lanes_move;
    int32_t *unit_at; /* SLOTS of each row: its lanes, and the loose flip-flop in each */
    const int32_t *rest_of;
    /* Units: what pins belong to; lanes, loose flip-flops, the rest of a row, what never moves. */
    int32_t movable;
    const int32_t *movable_units;
    int32_t *row_of, *slot_of;
    const uint8_t *has_room; /* of a lane, for a loose flip-flop */
    const int32_t *controls, *unit_ptr, *unit_nets, *unit_pins;
    /* Places of block RAM: the units in the two halves of each, or -1; a whole one is in the first. */
    int32_t rams, *ram_units;
    uint8_t *ram_whole;
    const int32_t *ram_across, *ram_down;
    /* Pins by place and by tile. */
    int32_t *place_pins, *tile_pins;
    const int32_t *free_pins; /* of a tile */
    float crowding;
    /* Nets, the driver's pin first. */
    int32_t nets;
    const int32_t *net_ptr, *pin_unit;
    const float *crossing;
    const uint8_t *apart;
    float *weight;
    int32_t *stamp, now;
    float *cost;
    /* Timing: arcs in an order in which what they begin with is known. */
    int32_t nodes, arcs;
    const int32_t *arc_source, *arc_sink, *arc_pin, *arc_net;
    const float *arc_delay, *launch, *required;
    float *arrival, *latest;
    uint64_t random;
} Problem;

static uint32_t next_random(Problem *p)
{
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return (uint32_t)(p->random >> 32);
}

static int32_t below(Problem *p, int32_t limit)
{
    return (int32_t)((uint64_t)next_random(p) * (uint32_t)limit >> 32);
}

/* ns: a line through what 145,909 connections of a routed design took; a tile down counts two. */
static float delay_of(int32_t dx, int32_t dy, int same_row)
{
    const float x = (float)abs(dx), y = 0.5f * (float)abs(dy);
    return same_row ? 0.1f : 0.85f + 0.02f * x + 0.04f * y;
}

static float net_cost(const Problem *p, int32_t net, double *wire)
{
    const int32_t first = p->net_ptr[net], end = p->net_ptr[net + 1];
    const int32_t from = p->row_of[p->pin_unit[first]];
    const int32_t x0 = p->row_across[from], y0 = p->row_down[from];
    int32_t left = x0, right = x0, top = y0, bottom = y0;
    float delay = 0;
    for (int32_t i = first + 1; i < end; i++) {
        const int32_t to = p->row_of[p->pin_unit[i]];
        const int32_t x = p->row_across[to], y = p->row_down[to];
        if (x < left) left = x;
        if (x > right) right = x;
        if (y < top) top = y;
        if (y > bottom) bottom = y;
        if (p->weight[i] > 0)
            delay += p->weight[i] * delay_of(x - x0, y - y0, to == from);
        if (p->apart[i] && abs(x - x0) < BESIDE && abs(y - y0) <= TALL_RAM)
            delay += TOO_NEAR;
    }
    if (wire)
        *wire += right - left + bottom - top;
    return p->crossing[net] * (float)(right - left + bottom - top) + delay;
}

#endif
