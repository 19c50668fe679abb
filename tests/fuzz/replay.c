/* replay.c - runs a fuzz target over its corpus, so that the corpus is a test
 * in builds without libFuzzer too. Each input is copied to memory of exactly
 * its length, for AddressSanitizer. CUBBY_CORPUS is the folder. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>

#define INPUT_MAX (1 << 20)

static void replay(const char *name)
{
    static char buffer[INPUT_MAX], path[4096];
    uint8_t *exact;
    FILE *file;
    size_t len;

    REQUIRE(snprintf(path, sizeof path, "%s/%s", CUBBY_CORPUS, name) < (int)sizeof path);
    file = fopen(path, "rb");
    REQUIRE(file != NULL);
    len = fread(buffer, 1, sizeof buffer, file);
    fclose(file);
    REQUIRE(len < sizeof buffer);
    exact = malloc(len > 0 ? len : 1);
    REQUIRE(exact != NULL);
    memcpy(exact, buffer, len);
    (void)LLVMFuzzerTestOneInput(exact, len);
    free(exact);
}

int main(void)
{
    DIR *folder = opendir(CUBBY_CORPUS);
    size_t inputs = 0;

    REQUIRE(folder != NULL);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        if (entry->d_name[0] != '.') {
            replay(entry->d_name);
            inputs++;
        }
    closedir(folder);
    printf("%zu inputs\n", inputs);
    REQUIRE(inputs > 0);
    return 0;
}
