// What one level offers to the dispatcher: the functions of memorycell.h, compiled for it.
#ifndef MEMORYCELL_LEVEL_H
#define MEMORYCELL_LEVEL_H

#include "memorycell.h"

// What every stream starts with; a stream is one block of memory.
struct mc_stream {
  void (*step)(mc_stream*, const void* x, void* out);
  void (*get_state)(const mc_stream*, void* h, void* c);
  void (*set_state)(mc_stream*, const void* h, const void* c);
};

namespace mc {

struct Level {
  const char* name;
  int64_t (*reserve_bytes)(const mc_run&);
  int (*forward)(const mc_run*, int64_t, int64_t);
  int (*backward)(const mc_run*, const mc_gradients*, int64_t, int64_t);
  int (*trace)(const mc_run&, void* const*, int64_t, int64_t, int64_t);
  void (*bernoulli)(uint64_t, uint64_t, int64_t, int64_t, int64_t, double, int64_t, void*);
  double (*peak)(int64_t);
  mc_stream* (*open_stream)(const mc_run*, int64_t, int64_t);
};

}  // namespace mc

#endif
