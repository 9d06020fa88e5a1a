/* Stands before getaddrinfo in a process under test: names that end in .test are answered from the file that
   TRIBUNE_TEST_NAMES names, one a line: "name address [address...]", or "name fail", or "name hang" (until the file says
   something else, for a minute at most). Every other name goes to the real resolver. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int (*resolve)(const char*, const char*, const struct addrinfo*, struct addrinfo**);

static int words_of(const char* name, char* line, size_t size) {
  const char* path = getenv("TRIBUNE_TEST_NAMES");
  FILE* file = path ? fopen(path, "r") : NULL;
  int found = 0;
  while (file && !found && fgets(line, (int)size, file)) {
    const size_t length = strlen(name);
    found = strncmp(line, name, length) == 0 && line[length] == ' ';
    if (found) memmove(line, line + length + 1, strlen(line + length + 1) + 1);
  }
  if (file) fclose(file);
  return found;
}

int getaddrinfo(const char* name, const char* service, const struct addrinfo* hints, struct addrinfo** out) {
  const resolve real = (resolve)dlsym(RTLD_NEXT, "getaddrinfo");
  const size_t length = name ? strlen(name) : 0;
  if (length < 5 || strcmp(name + length - 5, ".test") != 0) return real(name, service, hints, out);

  char line[1024];
  for (int turn = 0; turn < 1200; ++turn) {
    if (!words_of(name, line, sizeof line)) return EAI_NONAME;
    if (strncmp(line, "fail", 4) == 0) return EAI_AGAIN;
    if (strncmp(line, "hang", 4) != 0) break;
    const struct timespec pause = {0, 50 * 1000 * 1000};
    nanosleep(&pause, NULL);
  }
  struct addrinfo *first = NULL, **end = &first;
  char* rest = NULL;
  for (char* address = strtok_r(line, " \n", &rest); address; address = strtok_r(NULL, " \n", &rest)) {
    struct addrinfo wanted = {0};
    if (hints) wanted = *hints;
    wanted.ai_flags = AI_NUMERICHOST;
    wanted.ai_family = AF_UNSPEC;
    if (real(address, service, &wanted, end) != 0) continue;
    while (*end) end = &(*end)->ai_next;
  }
  *out = first;
  return first ? 0 : EAI_NONAME;
}
