/* memorycell: the plain C interface of the native library.
 *
 * Raw pointers and sizes only: no torch, no Python types. Every function may be called from any thread.
 * MEMORYCELL_ABI rises whenever a signature changes; the loader refuses a library of another version.
 */
#ifndef MEMORYCELL_H
#define MEMORYCELL_H

#define MEMORYCELL_ABI 1

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
