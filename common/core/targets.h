/** Kernels written once and compiled for several kinds of CPU; the loader takes the best. All of them give the same bits: no operation is contracted
 *  or reordered. FW_TARGETS goes on static functions alone: clang 14 exports a function with clones under another name than its callers expect. Not
 *  under ThreadSanitizer: the choice is made before its runtime is there. */
#ifndef FW_CORE_TARGETS_H
#define FW_CORE_TARGETS_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FW_NO_CLONES
#endif
#endif
#if defined(__SANITIZE_THREAD__) || !defined(__x86_64__)
#define FW_NO_CLONES
#endif

#ifdef FW_NO_CLONES
#define FW_TARGETS
#else
#define FW_TARGETS __attribute__((target_clones("avx512f", "avx2", "default")))
#endif

#endif
