/** Runs a fuzz target without libFuzzer: every seed as it is, then cut and with a few bytes changed, always in the same way.
 *  Usage: fuzz_NAME RUNS SEED_FILE... */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/random.h"
#include "common/core/size.h"

#define MAX_SEED ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static size_t read_seed(const char *path, uint8_t *out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    size_t len = fread(out, 1, MAX_SEED, file);
    fclose(file);
    return len;
}

/** A copy of its own, exactly as long as it is, so that a sanitizer sees a read past its end. */
static void run_one(const uint8_t *bytes, size_t len)
{
    FW_FREE uint8_t *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL) abort();
    memcpy(copy, bytes, len);
    LLVMFuzzerTestOneInput(copy, len);
}

static size_t mutate(uint8_t *to, const uint8_t *seed, size_t len, uint64_t run)
{
    fw_philox how = fw_random(1, FW_RANDOM_TEST, 0, run, 0);
    memcpy(to, seed, len);
    if (len > 0 && how.word[0] % 4 == 0) len = how.word[1] % len;
    for (uint32_t k = 0; k <= how.word[2] % 4 && len > 0; k++) {
        fw_philox what = fw_random(1, FW_RANDOM_TEST, 1, run, k);
        size_t at = what.word[0] % len;
        switch (what.word[1] % 3) {
        case 0: to[at] = (uint8_t)what.word[2]; break;
        case 1: to[at] ^= (uint8_t)(1u << what.word[2] % 8); break;
        default: memmove(to + at, to + what.word[2] % len, FW_MIN(len - at, len - what.word[2] % len)); break;
        }
    }
    return len;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s RUNS SEED_FILE...\n", argv[0]);
        return 2;
    }
    static uint8_t seed[MAX_SEED], changed[MAX_SEED];
    uint64_t runs = strtoull(argv[1], NULL, 10);
    for (int i = 2; i < argc; i++) {
        size_t len = read_seed(argv[i], seed);
        run_one(seed, len);
        for (uint64_t run = 0; run < runs; run++) run_one(changed, mutate(changed, seed, len, run));
    }
    printf("%llu runs on each of %d seeds\n", (unsigned long long)runs, argc - 2);
    return 0;
}
