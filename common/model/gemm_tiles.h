/** The body of the vector kernels, included once per instruction set. Not a header of its own: the including file defines
 *
 *    TARGET              the target attribute               LANES      floats in a vector
 *    vec, mask           the types                          MAX_ROWS   rows of C held in registers with two vectors of columns
 *    ZERO LOAD STORE FMA SPLAT MASK LOAD_MASK STORE_MASK
 *    LOAD_EVERY_FOURTH   (p, ld): four floats of each of rows 0, 4, 8, ... of p, one row a lane of 128 bits
 *    LOW_PAIRS HIGH_PAIRS LOW_HALVES HIGH_HALVES   in each lane: unpacklo_ps, unpackhi_ps, unpacklo_pd, unpackhi_pd
 *
 *  C is cut into tiles of rows x (vectors of columns). A tile's accumulators stay in registers while k runs over a block of BLOCK_K; between
 *  blocks they rest in C, which changes no bit. What a tile reads is copied to the stack where that pays, so that it is dense: a strip of
 *  two vectors of columns of B (with enough rows; always when B is transposed), or a panel of MAX_ROWS rows of A (when A is). A' B with few columns
 *  is made as (B' A)'. */

#define BLOCK_K 256
#define PACK_FROM_ROWS 48          /* below that the copy costs more than it saves */
#define STRIP_FLOATS (BLOCK_K * 2 * LANES)
#define MAX_STRIPS 4               /* copied at a time (with 16 lanes 128 KiB, which the second-level cache holds) */
#define FAR_ROWS   1024            /* where B's rows are so far apart, in floats: each lies on a page of its own */
#define INLINE static inline __attribute__((always_inline)) TARGET
#define BUFFER __attribute__((aligned(64), uninitialized))       /* filled before it is read; clearing it would cost as much as using it */

/* What one tile works on: A's rows a, a + lda, ..., or a panel at a; B's rows b, b + ldb, ...; `first`: start from the bias (or +0), else from C. */
typedef struct tile {
    size_t k;
    const float *a;
    size_t lda;
    const float *b;
    size_t ldb;
    const float *bias;
    float *c;
    size_t ldc;
    int first;
    mask tail;                     /* lanes of the last vector that exist */
} tile;

/* rows and vectors are constants wherever this is called; `partial`: the last vector is cut by the tail mask; `panel`: A is one, [k][MAX_ROWS]. */
INLINE void run_tile(const size_t rows, const size_t vectors, const int partial, const int panel, const tile *t)
{
    vec acc[MAX_TILE_ROWS][MAX_TILE_VECTORS] __attribute__((uninitialized));
    const mask tail = t->tail;
    const size_t lda = t->lda, ldb = t->ldb;
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 16
        for (size_t v = 0; v < vectors; v++) {
            const float *from = t->first ? t->bias : t->c + r * t->ldc;
            if (from == NULL) acc[r][v] = ZERO();
            else acc[r][v] = partial && v == vectors - 1 ? LOAD_MASK(from + v * LANES, tail) : LOAD(from + v * LANES);
        }
    }
    const float *a0 = t->a, *a1 = !panel && rows > 3 ? a0 + 3 * lda : a0, *a2 = !panel && rows > 6 ? a0 + 6 * lda : a0,
                *a3 = !panel && rows > 9 ? a0 + 9 * lda : a0;
    const float *b = t->b;
    for (size_t p = 0; p < t->k; p++, b += ldb) {
        vec right[MAX_TILE_VECTORS];
#pragma GCC unroll 16
        for (size_t v = 0; v < vectors; v++) right[v] = partial && v == vectors - 1 ? LOAD_MASK(b + v * LANES, tail) : LOAD(b + v * LANES);
#pragma GCC unroll 16
        for (size_t r = 0; r < rows; r++) {
            const float *base = r < 3 ? a0 : r < 6 ? a1 : r < 9 ? a2 : a3;       /* four pointers and two strides address twelve rows */
            const vec left = SPLAT(panel ? a0[p * MAX_ROWS + r] : base[(r % 3) * lda + p]);
#pragma GCC unroll 16
            for (size_t v = 0; v < vectors; v++) acc[r][v] = FMA(left, right[v], acc[r][v]);
        }
    }
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 16
        for (size_t v = 0; v < vectors; v++) {
            float *to = t->c + r * t->ldc + v * LANES;
            if (partial && v == vectors - 1) STORE_MASK(to, tail, acc[r][v]);
            else STORE(to, acc[r][v]);
        }
    }
}

/* All rows of a strip of columns, MAX_ROWS at a time, then what is left in one smaller tile. A panel has MAX_ROWS rows at most. */
INLINE void run_rows(const size_t vectors, const int partial, const int panel, size_t m, tile *t)
{
    for (; m >= MAX_ROWS; m -= MAX_ROWS) {
        run_tile(MAX_ROWS, vectors, partial, panel, t);
        t->a += MAX_ROWS * t->lda;
        t->c += MAX_ROWS * t->ldc;
    }
    switch (m) {
#define CASE(r) case r: if (r < MAX_ROWS) run_tile(r, vectors, partial, panel, t); break;
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11)
#undef CASE
    default: break;
    }
}

static TARGET __attribute__((noinline)) void rows_two(size_t m, tile *t) { run_rows(2, 0, 0, m, t); }
static TARGET __attribute__((noinline)) void rows_two_partial(size_t m, tile *t) { run_rows(2, 1, 0, m, t); }
static TARGET __attribute__((noinline)) void rows_one_partial(size_t m, tile *t) { run_rows(1, 1, 0, m, t); }
static TARGET __attribute__((noinline)) void panel_two(size_t m, tile *t) { run_rows(2, 0, 1, m, t); }
static TARGET __attribute__((noinline)) void panel_two_partial(size_t m, tile *t) { run_rows(2, 1, 1, m, t); }
static TARGET __attribute__((noinline)) void panel_one_partial(size_t m, tile *t) { run_rows(1, 1, 1, m, t); }
static TARGET __attribute__((noinline)) void one_row_wide(tile *t) { run_tile(1, MAX_TILE_VECTORS, 0, 0, t); }

/* ---- copies ------------------------------------------------------------------------------------------------------------------------ */

/* Columns [j, j + strips * 2 LANES) of B's rows [p, p + depth) to strips of dense rows. */
static TARGET void pack(float *to, const float *b, size_t ldb, size_t depth, size_t strips)
{
    for (size_t p = 0; p < depth; p++, b += ldb, to += 2 * LANES)
        for (size_t s = 0; s < strips; s++) {
            STORE(to + s * STRIP_FLOATS, LOAD(b + s * 2 * LANES));
            STORE(to + s * STRIP_FLOATS + LANES, LOAD(b + s * 2 * LANES + LANES));
        }
}

/* to[p][q] = b[q][p], q < LANES, p < depth; rows of `to` are 2 LANES floats. Four columns at a time: each lane of 128 bits takes four rows. */
static TARGET void pack_vector(float *to, const float *b, size_t ldb, size_t depth)
{
    size_t p = 0;
    for (; p + 4 <= depth; p += 4, to += 4 * 2 * LANES) {
        const vec r0 = LOAD_EVERY_FOURTH(b + p, ldb), r1 = LOAD_EVERY_FOURTH(b + ldb + p, ldb), r2 = LOAD_EVERY_FOURTH(b + 2 * ldb + p, ldb),
                  r3 = LOAD_EVERY_FOURTH(b + 3 * ldb + p, ldb);
        const vec low01 = LOW_PAIRS(r0, r1), low23 = LOW_PAIRS(r2, r3), high01 = HIGH_PAIRS(r0, r1), high23 = HIGH_PAIRS(r2, r3);
        STORE(to, LOW_HALVES(low01, low23));
        STORE(to + 2 * LANES, HIGH_HALVES(low01, low23));
        STORE(to + 4 * LANES, LOW_HALVES(high01, high23));
        STORE(to + 6 * LANES, HIGH_HALVES(high01, high23));
    }
    for (; p < depth; p++, to += 2 * LANES)
        for (size_t q = 0; q < LANES; q++) to[q] = b[q * ldb + p];
}

/* The same for rows [j, j + width) of B as they stand for columns of B'. */
static TARGET void pack_transposed(float *to, const float *b, size_t ldb, size_t depth, size_t width)
{
    size_t q = 0;
    for (; q + LANES <= width; q += LANES) pack_vector(to + q, b + q * ldb, ldb, depth);
    for (; q < width; q++)
        for (size_t p = 0; p < depth; p++) to[p * 2 * LANES + q] = b[q * ldb + p];
}

/* `rows` neighbours of each of `depth` rows of A as it stands, which are columns of A', to a panel. */
static TARGET void pack_panel(float *to, const float *a, size_t lda, size_t depth, size_t rows)
{
    if (rows == MAX_ROWS)
        for (size_t p = 0; p < depth; p++) memcpy(to + p * MAX_ROWS, a + p * lda, MAX_ROWS * sizeof *to);
    else
        for (size_t p = 0; p < depth; p++)
            for (size_t r = 0; r < rows; r++) to[p * MAX_ROWS + r] = a[p * lda + r];
}

/* ---- the three products -------------------------------------------------------------------------------------------------------------- */

/* Columns [j, j + width) of A B or A B', width <= 2 LANES. packed: B's part of them, dense; NULL: where it stands. */
static TARGET void strip(const fw_gemm_args *g, size_t j, size_t width, size_t p, size_t depth, const float *packed)
{
    tile t = {.k = depth, .a = g->a + p, .lda = g->lda, .b = packed != NULL ? packed : g->b + p * g->ldb + j, .ldb = packed != NULL ? 2 * LANES : g->ldb,
              .bias = g->bias != NULL ? g->bias + j : NULL, .c = g->c + j, .ldc = g->ldc, .first = p == 0};
    if (width == 2 * LANES) {
        rows_two(g->m, &t);
    } else {
        t.tail = MASK((width - 1) % LANES + 1);
        if (width > LANES) rows_two_partial(g->m, &t);
        else rows_one_partial(g->m, &t);
    }
}

static TARGET void run_transposed(const fw_gemm_args *g, size_t p, size_t depth)
{
    float packed[STRIP_FLOATS] BUFFER;
    for (size_t j = 0; j < g->n; j += 2 * LANES) {
        const size_t width = g->n - j < 2 * LANES ? g->n - j : 2 * LANES;
        pack_transposed(packed, g->b + j * g->ldb + p, g->ldb, depth, width);
        strip(g, j, width, p, depth, packed);
    }
}

static TARGET void run_strips(const fw_gemm_args *g, size_t p, size_t depth)
{
    const size_t most = g->ldb >= FAR_ROWS ? MAX_STRIPS : 1;
    float packed[MAX_STRIPS * STRIP_FLOATS] BUFFER;
    const float *b = g->b + p * g->ldb;
    size_t j = 0;
    for (; g->m == 1 && g->n - j >= MAX_TILE_VECTORS * LANES; j += MAX_TILE_VECTORS * LANES) {      /* one chain a vector: many at once */
        tile t = {.k = depth, .a = g->a + p, .lda = g->lda, .b = b + j, .ldb = g->ldb, .bias = g->bias != NULL ? g->bias + j : NULL, .c = g->c + j,
                  .ldc = g->ldc, .first = p == 0};
        one_row_wide(&t);
    }
    for (size_t strips; g->m >= PACK_FROM_ROWS && (strips = (g->n - j) / (2 * LANES)) > 0;) {
        if (strips > most) strips = most;
        pack(packed, b + j, g->ldb, depth, strips);
        for (size_t s = 0; s < strips; s++, j += 2 * LANES) strip(g, j, 2 * LANES, p, depth, packed + s * STRIP_FLOATS);
    }
    for (; j < g->n; j += 2 * LANES) strip(g, j, g->n - j < 2 * LANES ? g->n - j : 2 * LANES, p, depth, NULL);
}

/* A' B: a panel of A' after the other, over all columns. */
static TARGET void run_panels(const fw_gemm_args *g, size_t p, size_t depth)
{
    float panel[BLOCK_K * MAX_TILE_ROWS] BUFFER;
    for (size_t i = 0; i < g->m; i += MAX_ROWS) {
        const size_t rows = g->m - i < MAX_ROWS ? g->m - i : MAX_ROWS;
        const float *a = g->a + p * g->lda + i;
        const int dense = g->lda == MAX_ROWS && rows == MAX_ROWS;          /* a panel as it stands */
        if (!dense) pack_panel(panel, a, g->lda, depth, rows);
        for (size_t j = 0; j < g->n; j += 2 * LANES) {
            const size_t width = g->n - j;
            tile t = {.k = depth, .a = dense ? a : panel, .b = g->b + p * g->ldb + j, .ldb = g->ldb, .bias = g->bias != NULL ? g->bias + j : NULL,
                      .c = g->c + i * g->ldc + j, .ldc = g->ldc, .first = p == 0};
            if (width >= 2 * LANES) {
                panel_two(rows, &t);
            } else {
                t.tail = MASK((width - 1) % LANES + 1);
                if (width > LANES) panel_two_partial(rows, &t);
                else panel_one_partial(rows, &t);
            }
        }
    }
}

/* c[q][j] = turned[j][q], q < width; n is a constant wherever this is called. */
INLINE void turn_rows(const size_t n, float *c, size_t ldc, const float *turned, size_t width)
{
    for (size_t q = 0; q < width; q++, c += ldc) {
#pragma GCC unroll 16
        for (size_t j = 0; j < n; j++) c[j] = turned[j * 2 * LANES + q];
    }
}

static TARGET void turn(size_t n, float *c, size_t ldc, const float *turned, size_t width)
{
    switch (n) {
#define CASE(r) case r: if (r <= MAX_ROWS) turn_rows(r, c, ldc, turned, width); break;
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#undef CASE
    default: break;
    }
}

/* The way back. */
static TARGET void turn_back(size_t n, float *turned, const float *c, size_t ldc, size_t width)
{
    for (size_t q = 0; q < width; q++)
        for (size_t j = 0; j < n; j++) turned[j * 2 * LANES + q] = c[q * ldc + j];
}

/* A' B with no more columns than a tile has rows: (B' A)' instead. Vectors run along the rows of A as they stand, which are read without a copy and
 * fill all lanes; an element's chain is the same. */
static TARGET void run_narrow(const fw_gemm_args *g, size_t p, size_t depth)
{
    float panel[BLOCK_K * MAX_TILE_ROWS] BUFFER, turned[MAX_TILE_ROWS * 2 * LANES] BUFFER;
    pack_panel(panel, g->b + p * g->ldb, g->ldb, depth, g->n);
    for (size_t i = 0; i < g->m; i += 2 * LANES) {
        const size_t width = g->m - i < 2 * LANES ? g->m - i : 2 * LANES;
        float *c = g->c + i * g->ldc;
        tile t = {.k = depth, .a = panel, .b = g->a + p * g->lda + i, .ldb = g->lda, .c = turned, .ldc = 2 * LANES, .first = p == 0};
        if (p > 0) turn_back(g->n, turned, c, g->ldc, width);
        if (width == 2 * LANES) {
            panel_two(g->n, &t);
        } else {
            t.tail = MASK((width - 1) % LANES + 1);
            if (width > LANES) panel_two_partial(g->n, &t);
            else panel_one_partial(g->n, &t);
        }
        turn(g->n, c, g->ldc, turned, width);
    }
}

static TARGET void run(const fw_gemm_args *g)
{
    const int narrow = g->n <= MAX_ROWS && g->m >= LANES;
    size_t p = 0;
    do {                                       /* once at least: k == 0 leaves the bias */
        const size_t depth = g->k - p < BLOCK_K ? g->k - p : BLOCK_K;
        if (g->form == FW_GEMM_ATB && narrow) run_narrow(g, p, depth);
        else if (g->form == FW_GEMM_ATB) run_panels(g, p, depth);
        else if (g->form == FW_GEMM_ABT) run_transposed(g, p, depth);
        else run_strips(g, p, depth);
        p += depth;
    } while (p < g->k);
}
