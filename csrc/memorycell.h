/* memorycell: the plain C interface of the native library.
 *
 * Raw pointers and sizes only: no torch, no Python types. Every function may be called from any thread, also
 * from several at once. MEMORYCELL_ABI rises whenever a signature or a struct changes; the loader refuses a
 * library of another version.
 *
 * Letters: T time, B batch, I input, H hidden units, P = H or the size that h is projected to, G blocks of H rows in
 * the weights (LSTM 4: i f g o; coupled LSTM 3: i g o; GRU 3: r z n; RNN 1). Distances between rows are in
 * elements; the last dimension of every buffer is contiguous. "In order" means: row b of the buffer belongs to
 * the sequence that the caller counts as b; the kernels themselves work on rows sorted by falling length.
 */
#ifndef MEMORYCELL_H
#define MEMORYCELL_H

#include <stdint.h>

#define MEMORYCELL_ABI 4

#if defined(_WIN32)
#define MEMORYCELL_API __declspec(dllexport)
#else
#define MEMORYCELL_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface that the library was built with. */
MEMORYCELL_API int mc_abi(void);

/* ---- Levels: the same kernels compiled for several generations of processors ---- */

/* Name of a level ("v4", "v3", "v2" on x86-64, the best first; elsewhere "base"), or null if there is no such. */
MEMORYCELL_API const char* mc_level_name(int64_t level);

/* 1 if this processor can run the level, else 0. */
MEMORYCELL_API int mc_level_runs(int64_t level);

/* Multiply-add throughput of the level in float32 on `threads` threads, measured for some milliseconds, in GFLOP/s. */
MEMORYCELL_API double mc_peak(int64_t level, int64_t threads);

/* ---- A layer over sequences ---- */

enum { MC_LSTM = 0, MC_GRU = 1, MC_RNN_TANH = 2, MC_RNN_RELU = 3 };

/* What the functions below return. */
enum {
  MC_OK = 0,
  MC_NO_MEMORY = 1,
  MC_UNKNOWN = 2, /* no such level, mode or size of number; a size below zero; a pointer missing */
  MC_NOT_SORTED = 3, /* active is not from 0 to B, or rises */
  MC_NO_ORDER = 4,   /* order is not 0 … B - 1 in some order */
  MC_NO_TOKEN = 5    /* a token is not from 0 to vocabulary - 1 */
};

/* One layer in one direction. Every member has eight bytes. Read only, except out, h_n, c_n and reserve. */
typedef struct {
  int64_t level;   /* as in mc_level_name */
  int64_t bytes;   /* of a number: 4 float32, 8 float64 */
  int64_t mode;    /* MC_LSTM … */
  int64_t coupled; /* LSTM: f = 1 - i */
  int64_t reset_before; /* GRU: r multiplies h, not W_hn h */
  int64_t reverse; /* from each row's last step to its first */
  int64_t steps, batch, input, hidden;
  int64_t projected; /* LSTM: P; 0: h is not projected, P = H. Of all others P = H */

  /* (T) rows that have a step t, never rising with t: rows are sorted by falling length. Null: all have T steps. */
  const int64_t* active;
  /* (B) where sorted row b stands in order. Null: at b. */
  const int64_t* order;
  /* 1: x, out and their gradients are packed, step after step without padding, rows sorted; their *_time is
   * ignored. 0: value (t, b) stands at t · time + order[b] · row. */
  int64_t packed;

  const void* x; /* (T, B, I), or with tokens (vocabulary, I), whose rows stand x_row apart */
  int64_t x_time, x_row;
  const int64_t* tokens; /* (T, B), or packed, the row of x for each step; null: x has a row for each */
  int64_t tokens_time, tokens_row, vocabulary;
  const void* x_mask; /* (T, B, I), in order; multiplies x where it enters w_ih, not with tokens. Null: ones */
  int64_t x_mask_time, x_mask_row;

  const void* h_0; /* (B, P) in order, contiguous. Null: zeros */
  const void* c_0; /* (B, H) LSTM */

  const void* w_ih; /* (G·H, I) contiguous, as all parameters are */
  const void* w_hh; /* (G·H, P) */
  const void* b_ih; /* (G·H), or null */
  const void* b_hh; /* (G·H), or null */
  const void* w_hr; /* (P, H), projected */
  const void* w_ch; /* peepholes (3·H): i f o; coupled (2·H): i o. Null: none */
  /* Layer normalisation; all null: none. (G·H) for the two products, (H) for the cell of an LSTM. */
  const void *norm_ih_gain, *norm_ih_bias, *norm_hh_gain, *norm_hh_bias, *norm_ch_gain, *norm_ch_bias;

  const void* keep_h; /* (B, P) in order, contiguous; multiplies h where it enters w_hh. Null: ones */
  /* Share of the previous value that stays: (T, B, P) and (T, B, H) in order, or where null the same for all. */
  const void* zone_h;
  int64_t zone_h_time, zone_h_row;
  const void* zone_c;
  int64_t zone_c_time, zone_c_row;
  double zone_h_rate, zone_c_rate;

  void* out; /* (T, B, P); rows beyond a row's length are not touched */
  int64_t out_time, out_row;
  void* h_n; /* (B, P) in order, contiguous */
  void* c_n; /* (B, H), LSTM */
  void* reserve; /* mc_reserve_bytes bytes for mc_backward and mc_trace, aligned to 64; null: nothing is kept */
} mc_run;

/* Gradients of a run. Read: dout, dh_n, dc_n. Written, where not null: all others. Shapes as in mc_run. */
typedef struct {
  const void* dout;
  int64_t dout_time, dout_row;
  const void* dh_n;
  const void* dc_n;
  void* dx; /* like x, with its own distances */
  int64_t dx_time, dx_row;
  int64_t dx_add; /* 1: add to what stands there (the other direction's) */
  void* dh_0;
  void* dc_0;
  void *dw_ih, *dw_hh, *db_ih, *db_hh, *dw_hr, *dw_ch;
  void *dnorm_ih_gain, *dnorm_ih_bias, *dnorm_hh_gain, *dnorm_hh_bias, *dnorm_ch_gain, *dnorm_ch_bias;
} mc_gradients;

/* Bytes of these structs, for a binding to compare with its own. */
MEMORYCELL_API int64_t mc_run_bytes(void);
MEMORYCELL_API int64_t mc_gradients_bytes(void);

/* Bytes that run->reserve needs. */
MEMORYCELL_API int64_t mc_reserve_bytes(const mc_run* run);

/* Runs `count` layers, one after the other (the output of one may be the input of the next), on at most
 * `threads` threads of the caller's OpenMP pool. */
MEMORYCELL_API int mc_forward(const mc_run* runs, int64_t count, int64_t threads);

/* Back through the same runs, whose out and reserve a forward pass has filled, from the last to the first (the
 * dx of one may be the dout of the one before). Nothing of the runs is written to. */
MEMORYCELL_API int mc_backward(const mc_run* runs, const mc_gradients* gradients, int64_t count, int64_t threads);

/* Gates and cell of a run from its reserve: `gates` pointers, in the order of the weights (an LSTM's coupled forget
 * gate included: i f g o), then of an LSTM the cell; each (T, B, H), value (t, b) at t · time + order[b] · row. Steps
 * that a row has not got are left as they are. */
MEMORYCELL_API int mc_trace(const mc_run* run, void* const* values, int64_t time, int64_t row, int64_t threads);

/* ---- Streams: the same layers, fed step by step ---- */

/* How a stream keeps its two weight matrices; all else, and all arithmetic between them, stays as given. */
enum {
  MC_AS_GIVEN = 0,
  MC_BFLOAT16 = 1, /* rounded to the nearest; float32 only */
  MC_INT8 = 2      /* a 127th of the largest weight of each row of w_ih and w_hh times -127 … 127; float32 only */
};

/* A copy of the weights and a state, all in one block of memory. Steps of different streams may run at once, those
 * of one stream may not. */
typedef struct mc_stream mc_stream;

/* A stream of `layers` layers, the output of one being the input of the next, with a state of zeros. Of each run
 * count: level, bytes, mode, coupled, batch, input, hidden, the parameters (copied) and the two zone rates. Null if
 * there is no memory, no such level or mode, or the layers do not fit each other; and for layers that are projected
 * or reset before the product, which streams lack. */
MEMORYCELL_API mc_stream* mc_stream_open(const mc_run* runs, int64_t layers, int64_t weights);

/* One step, on the calling thread: x (B, I) to the last layer's out (B, H), both contiguous. The bits of `out` are
 * those of mc_forward at the same level with the same state and weights (those of int8 are near, not equal, to a
 * forward pass with the rounded weights). Subnormal numbers count as zero. */
MEMORYCELL_API void mc_stream_step(mc_stream* stream, const void* x, void* out);

/* The state of all layers, (L, B, H) each; c only of an LSTM. */
MEMORYCELL_API void mc_stream_get_state(const mc_stream* stream, void* h, void* c);

/* The same way back; null: zeros. */
MEMORYCELL_API void mc_stream_set_state(mc_stream* stream, const void* h, const void* c);

MEMORYCELL_API void mc_stream_close(mc_stream* stream);

/* ---- Random masks ---- */

/* Writes `one` where the hash of a counter (SplitMix64's finaliser) lies below `threshold` as a signed number,
 * else zero: element (r, k) of (rows, width), contiguous, of `bytes` bytes a number. Its counter is
 * (first_row + r) · 2^32 + k + 1. */
MEMORYCELL_API void mc_bernoulli(int64_t level, int64_t key, int64_t first_row, int64_t rows, int64_t width,
                                 int64_t threshold, double one, int64_t bytes, void* out);

/* ---- Subnormal numbers ---- */

/* 1 if subnormal numbers can be flushed to zero on this processor, else 0. */
MEMORYCELL_API int mc_can_flush(void);

/* Make every thread of a team of n_threads OpenMP threads (the caller is one of them) flush subnormal
 * numbers to zero (on = 1) or compute with them (on = 0).
 * previous: room for n_threads ints; receives 1 for each thread that flushed before, else 0. */
MEMORYCELL_API void mc_set_flush(int on, int n_threads, int* previous);

/* Give every thread of the team the mode that mc_set_flush noted in `previous`. */
MEMORYCELL_API void mc_restore_flush(int n_threads, const int* previous);

#ifdef __cplusplus
}
#endif
#endif
