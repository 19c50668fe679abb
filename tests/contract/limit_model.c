/* limit_model.c - what limit_agreement.py compares Redis with: the script's
 * text (`limit_model script`), or engines/primitives/limit.h itself, for lines
 *
 *   take KEY NOW_US ALGORITHM WINDOW_MS LIMIT COST  ->  ALLOWED REMAINING RESET_MS RETRY_MS EXPIRES_MS
 *   forget KEY                                      ->  forgotten
 *
 * EXPIRES_MS is 0 where nothing was stored. One thread. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engines/primitives/cell.h"
#include "engines/redis/primitive.h"

enum { KEYS = 8 };

static struct cell cells[KEYS];

static int take(const char *line)
{
    struct engine_rate rate = { .algorithm = ENGINE_FIXED_WINDOW };
    struct engine_op op = { .verb = ENGINE_LIMIT_TAKE, .rate = &rate };
    unsigned key, algorithm;
    enum cell_change change;
    uint64_t now_us;

    if (sscanf(line, "take %u %" SCNu64 " %u %" SCNd64 " %" SCNu64 " %" SCNu64, &key, &now_us, &algorithm,
               &rate.window_ms, &rate.limit, &rate.cost) != 6 ||
        key >= KEYS || algorithm > ENGINE_TOKEN_BUCKET)
        return 1;
    rate.algorithm = (enum engine_rate_algorithm)algorithm;
    change = cell_apply(&op, &cells[key], now_us);
    if (op.status == ENGINE_FAILED)
        printf("failed\n");
    else
        printf("%d %" PRIu64 " %" PRId64 " %" PRId64 " %" PRIu64 "\n", rate.allowed, rate.remaining, rate.reset_ms,
               rate.retry_ms, change == CELL_STORE ? cells[key].expires_ms : 0);
    return 0;
}

static int forget(const char *line)
{
    unsigned key;

    if (sscanf(line, "forget %u", &key) != 1 || key >= KEYS)
        return 1;
    cells[key].len = 0;
    printf("forgotten\n");
    return 0;
}

int main(int argc, char **argv)
{
    char line[256];

    if (argc > 1 && strcmp(argv[1], "script") == 0) {
        fputs(redis_primitive_script_text(SCRIPT_LIMIT), stdout);
        return 0;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin))
        if (strncmp(line, "forget", 6) == 0 ? forget(line) : take(line)) {
            fprintf(stderr, "not understood: %s", line);
            return 1;
        }
    return 0;
}
