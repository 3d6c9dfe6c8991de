/* Moves of what lies in slices. */
#ifndef SLICES_H
#define SLICES_H

#include "draw.h"

enum { TALLEST = 64 };

static void touch_block(Problem *p, Touched *t, int32_t block)
{
    if (p->is_empty[block] && !p->lanes_move[p->first_row[block]])
        return;
    for (int32_t row = p->first_row[block]; row < p->first_row[block] + p->rows_of[block]; row++) {
        for (int k = 0; k < SLOTS; k++)
            touch(p, t, p->unit_at[row * SLOTS + k]);
        touch(p, t, p->rest_of[row]);
    }
}

/* So many more pins at a place: what that costs. */
static float crowd(Problem *p, int32_t place, int32_t more)
{
    const int32_t tile = place / p->height / p->slices * p->height + place % p->height;
    int32_t *const pins = p->tile_pins + tile;
    const int32_t before = *pins - p->free_pins[tile], after = before + more;
    p->place_pins[place] += more;
    *pins += more;
    return p->crowding * (float)((after > 0 ? after * after : 0)
                                 - (before > 0 ? before * before : 0));
}

/* What lies in two runs of places has changed places, or will: what that costs. */
static float crowd_swap(Problem *p, int32_t from, int32_t to, int32_t tall)
{
    float cost = 0;
    for (int32_t k = 0; k < tall; k++) {
        const int32_t more = p->place_pins[to + k] - p->place_pins[from + k];
        cost += crowd(p, from + k, more) + crowd(p, to + k, -more);
    }
    return cost;
}

static void put_block(Problem *p, int32_t block, int32_t place)
{
    p->place_of[block] = place;
    for (int32_t k = 0; k < p->rows_of[block]; k++) {
        const int32_t row = p->first_row[block] + k;
        p->occupant[place + k] = block;
        p->row_place[row] = place + k;
        p->row_across[row] = p->across[place + k];
        p->row_down[row] = p->down[place + k];
    }
}

/* 1 if a move was made, 0 if it was not worth it, -1 if there was none. */
static int move_block(Problem *p, Touched *t, int is_drawn, int32_t range, float temperature)
{
    const int32_t block = below(p, p->blocks), tall = p->rows_of[block];
    if (p->is_empty[block])
        return -1;
    const int32_t from = p->place_of[block];
    Edges edges;
    edges.count = 0;
    for (int32_t row = p->first_row[block]; is_drawn && row < p->first_row[block] + tall; row++) {
        for (int k = 0; k < SLOTS; k++)
            add_edges(p, &edges, p->unit_at[row * SLOTS + k]);
        add_edges(p, &edges, p->rest_of[row]);
    }
    const int32_t to = is_drawn ? drawn(p, &edges, tall) : near(p, from, range, tall);
    if (to < 0 || abs(to - from) < tall)
        return -1;
    int32_t others[TALLEST], count = 0;
    for (int32_t k = 0; k < tall;) {
        if (!p->kind[to + k] || (p->wants_memory[block] && p->kind[to + k] != 2))
            return -1;
        const int32_t other = p->occupant[to + k];
        if (p->place_of[other] != to + k || k + p->rows_of[other] > tall
            || (p->wants_memory[other] && p->kind[from + k] != 2))
            return -1;
        others[count++] = other;
        k += p->rows_of[other];
    }
    begin(p, t);
    touch_block(p, t, block);
    for (int32_t i = 0; i < count; i++)
        touch_block(p, t, others[i]);
    for (int32_t i = 0; i < count; i++)
        put_block(p, others[i], p->place_of[others[i]] - to + from);
    put_block(p, block, to);
    if (better(p, t, temperature, crowd_swap(p, from, to, tall)))
        return 1;
    crowd_swap(p, from, to, tall);
    for (int32_t i = 0; i < count; i++)
        put_block(p, others[i], p->place_of[others[i]] - from + to);
    put_block(p, block, from);
    return 0;
}

/* Whether the flip-flops of a row have the controls of a unit that comes into a slot of it. */
static int agree(const Problem *p, int32_t row, int slot, int32_t unit)
{
    for (int k = 0; k < SLOTS && unit >= 0 && p->controls[unit] >= 0; k++) {
        const int32_t other = p->unit_at[row * SLOTS + k];
        if (k != slot && other >= 0 && p->controls[other] >= 0
            && p->controls[other] != p->controls[unit])
            return 0;
    }
    return 1;
}

/* Whether a slot's lane has room for its loose flip-flop. */
static int fits(const Problem *p, int32_t lane, int32_t loose)
{
    return loose < 0 || lane < 0 || p->has_room[lane];
}

static void put_unit(Problem *p, int32_t unit, int32_t row, int slot)
{
    p->unit_at[row * SLOTS + slot] = unit;
    if (unit >= 0) {
        p->row_of[unit] = row;
        p->slot_of[unit] = slot;
    }
}

/* A lane or a loose flip-flop changes places with one of its kind, or with none. */
static int move_unit(Problem *p, Touched *t, int is_drawn, int32_t range, float temperature)
{
    const int32_t unit = p->movable_units[below(p, p->movable)], row = p->row_of[unit];
    const int slot = p->slot_of[unit];
    if (!p->lanes_move[row])
        return -1;
    Edges edges;
    edges.count = 0;
    if (is_drawn)
        add_edges(p, &edges, unit);
    const int32_t place = is_drawn ? drawn(p, &edges, 1) : near(p, p->row_place[row], range, 1);
    if (place < 0 || !p->kind[place] || place == p->row_place[row])
        return -1;
    const int32_t block = p->occupant[place];
    const int32_t to = p->first_row[block] + place - p->place_of[block];
    if (!p->lanes_move[to])
        return -1;
    const int to_slot = below(p, LANES) + (slot >= LANES ? LANES : 0), pair = slot ^ LANES;
    const int32_t other = p->unit_at[to * SLOTS + to_slot];
    const int32_t with = p->unit_at[row * SLOTS + pair];
    const int32_t other_with = p->unit_at[to * SLOTS + (to_slot ^ LANES)];
    if (slot < LANES ? !fits(p, unit, other_with) || !fits(p, other, with)
                     : !fits(p, other_with, unit) || !fits(p, with, other))
        return -1;
    if (!agree(p, to, to_slot, unit) || !agree(p, row, slot, other))
        return -1;
    begin(p, t);
    touch(p, t, unit);
    touch(p, t, other);
    put_unit(p, unit, to, to_slot);
    put_unit(p, other, row, slot);
    const int32_t more = p->unit_pins[unit] - (other < 0 ? 0 : p->unit_pins[other]);
    const int32_t from = p->row_place[row];
    if (better(p, t, temperature, crowd(p, from, -more) + crowd(p, place, more)))
        return 1;
    crowd(p, from, more);
    crowd(p, place, -more);
    put_unit(p, unit, row, slot);
    put_unit(p, other, to, to_slot);
    return 0;
}

#endif
