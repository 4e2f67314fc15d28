// What one level offers to the dispatcher: the functions of memorycell.h, compiled for it.
#ifndef MEMORYCELL_LEVEL_H
#define MEMORYCELL_LEVEL_H

#include "memorycell.h"

namespace mc {

struct Level {
  const char* name;
  int64_t (*reserve_bytes)(const mc_run&);
  int (*forward)(const mc_run*, int64_t, int64_t);
  int (*backward)(const mc_run*, const mc_gradients*, int64_t, int64_t);
  int (*trace)(const mc_run&, void* const*, int64_t, int64_t);
  double (*peak)(int64_t);
};

}  // namespace mc

#endif
