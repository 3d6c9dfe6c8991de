/* Where a move goes: somewhere near, or to where its nets' other pins draw it.
 *
 * What is moved lies best in the middle of where its nets' boxes begin and end without it, the
 * median of these edges (Goto 1981; as VPR 9 has it, Elgammal, Murray and Betz 2022).
 */
#ifndef DRAW_H
#define DRAW_H

#include "move.h"

enum { MOST_EDGES = 64, FEW_PINS = 40, ASIDE = 2 };

typedef struct {
    int32_t count, x[MOST_EDGES], y[MOST_EDGES]; /* sorted */
} Edges;

static void insert(int32_t *sorted, int32_t count, int32_t value)
{
    for (; count > 0 && sorted[count - 1] > value; count--)
        sorted[count] = sorted[count - 1];
    sorted[count] = value;
}

/* The edges that a unit's nets have without the row that it lies in; wide nets have them anywhere. */
static void add_edges(const Problem *p, Edges *edges, int32_t unit)
{
    if (unit < 0)
        return;
    const int32_t row = p->row_of[unit];
    for (int32_t i = p->unit_ptr[unit]; i < p->unit_ptr[unit + 1]; i++) {
        const int32_t net = p->unit_nets[i], first = p->net_ptr[net], end = p->net_ptr[net + 1];
        int32_t left = INT32_MAX, right = -1, top = INT32_MAX, bottom = -1;
        if (end - first > FEW_PINS || edges->count + 2 > MOST_EDGES)
            continue;
        for (int32_t k = first; k < end; k++) {
            const int32_t other = p->row_of[p->pin_unit[k]];
            if (other == row)
                continue;
            const int32_t x = p->row_across[other], y = p->row_down[other];
            if (x < left) left = x;
            if (x > right) right = x;
            if (y < top) top = y;
            if (y > bottom) bottom = y;
        }
        if (right < 0)
            continue;
        insert(edges->x, edges->count, left);
        insert(edges->y, edges->count++, top);
        insert(edges->x, edges->count, right);
        insert(edges->y, edges->count++, bottom);
    }
}

/* The place in column x from row y on, or -1 if a run so tall leaves the chip or its region. */
static int32_t place_at(const Problem *p, int32_t x, int32_t y, int32_t tall)
{
    if (x < 0 || x >= p->columns || y < 0 || y + tall > p->height
        || y / p->region != (y + tall - 1) / p->region)
        return -1;
    return x * p->height + y;
}

/* One beside the middle of the edges, or -1. */
static int32_t drawn(Problem *p, const Edges *edges, int32_t tall)
{
    const int32_t k = edges->count / 2;
    if (!k)
        return -1;
    const int32_t x = edges->x[k - 1] + below(p, edges->x[k] - edges->x[k - 1] + 1);
    const int32_t y = edges->y[k - 1] + below(p, edges->y[k] - edges->y[k - 1] + 1);
    return place_at(p, p->column_at[x] + below(p, 2 * ASIDE + p->slices) - ASIDE,
                    p->line_at[y] + below(p, ASIDE + 1) - ASIDE / 2, tall);
}

/* One not farther than `range` rows and as many pairs of columns, or -1. */
static int32_t near(Problem *p, int32_t place, int32_t range, int32_t tall)
{
    return place_at(p, place / p->height + below(p, 4 * range + 1) - 2 * range,
                    place % p->height + below(p, 2 * range + 1) - range, tall);
}

#endif
