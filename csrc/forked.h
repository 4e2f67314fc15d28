// GNU's OpenMP runtime keeps its threads for the next team, but a forked process has only the thread that forked:
// a team there would wait for the others forever. Such a process works alone.
#ifndef MEMORYCELL_FORKED_H
#define MEMORYCELL_FORKED_H

namespace mc {

// Whether this process was forked from one that had loaded the library.
bool forked();

template <class Count>
Count threads_to_use(Count wanted) {
  return forked() ? Count(1) : wanted;
}

}  // namespace mc

#endif
