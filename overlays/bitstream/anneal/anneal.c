/* Simulated annealing of a legal placement: slices and quarters of slices change places.
 *
 * What belongs together stays together, so a placement that was legal stays legal:
 * - a block is what lies in one slice, or in the slices of one carry chain; it changes places with
 *   what lies in as many slices elsewhere, be it nothing;
 * - a lane is a quarter of a slice, its LUTs and the flip-flops that they lead to; a loose flip-flop
 *   is one that a lane has room for.  Both change places between slices that hold nothing else, if
 *   the controls of their flip-flops allow it.
 *
 * The cost is VPR's (Betz and Rose 1997; Marquardt, Betz and Rose 2000): half the perimeter of each
 * net's box, more for nets of many pins, and each connection's delay by how critical it is.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LANES = 4, SLOTS = 2 * LANES, TALLEST = 64, MOST_NETS = 65536 };
/* Columns and half rows round a block RAM from where a wire is too short for its hold time. */
enum { BESIDE = 6, TALL_RAM = 10 };
static const float NEVER = 1e8f, TOO_NEAR = 60;

typedef struct {
    /* Places, x * height + y: 0 none, 1 a slice, 2 one with memory; where each is, as wires count. */
    int32_t columns, height, region, slices; /* of a tile: columns that share switch boxes */
    const uint8_t *kind;
    const int32_t *across, *down;
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
    /* Pins by place and by tile. */
    int32_t *place_pins, *tile_pins, free_pins;
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
    int32_t *const pins = p->tile_pins
        + place / p->height / p->slices * p->height + place % p->height;
    const int32_t before = *pins - p->free_pins, after = before + more;
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

/* A place not farther than `range` rows and as many pairs of columns, or -1. */
static int32_t near(Problem *p, int32_t place, int32_t range, int32_t tall)
{
    const int32_t x = place / p->height + below(p, 4 * range + 1) - 2 * range;
    const int32_t y = place % p->height + below(p, 2 * range + 1) - range;
    if (x < 0 || x >= p->columns || y < 0 || y + tall > p->height
        || y / p->region != (y + tall - 1) / p->region)
        return -1;
    return x * p->height + y;
}

/* 1 if a move was made, 0 if it was not worth it, -1 if there was none. */
static int move_block(Problem *p, Touched *t, int32_t range, float temperature)
{
    const int32_t block = below(p, p->blocks), tall = p->rows_of[block];
    if (p->is_empty[block])
        return -1;
    const int32_t from = p->place_of[block], to = near(p, from, range, tall);
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
static int move_unit(Problem *p, Touched *t, int32_t range, float temperature)
{
    const int32_t unit = p->movable_units[below(p, p->movable)], row = p->row_of[unit];
    const int slot = p->slot_of[unit];
    if (!p->lanes_move[row])
        return -1;
    const int32_t place = near(p, p->row_place[row], range, 1);
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

/* Try so many moves; the share made of those that were possible. */
double anneal(Problem *p, int64_t moves, float units_share, int32_t range, float temperature)
{
    Touched *t = malloc(sizeof(Touched));
    int64_t made = 0, possible = 0;
    if (!t)
        return -1;
    memset(p->stamp, 0, sizeof(*p->stamp) * (size_t)p->nets); /* so `now` can't run over */
    p->now = 0;
    const uint32_t limit = (uint32_t)(units_share * 4294967295.0);
    for (int64_t i = 0; i < moves; i++) {
        const int is_unit = next_random(p) < limit && p->movable;
        const int result = (is_unit ? move_unit : move_block)(p, t, range, temperature);
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
