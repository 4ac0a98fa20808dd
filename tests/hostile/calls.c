/* Makes system calls that have been ways out of containers; prints a line for each: its name and the error number. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRY(name, call) \
    do { \
        errno = 0; \
        long result = (long)(call); \
        printf("%s %d\n", name, result < 0 ? errno : 0); \
    } while (0)

int main(void) {
    char buffer[256];
    memset(buffer, 0, sizeof buffer);
    struct { struct file_handle handle; char bytes[128]; } handle;
    memset(&handle, 0, sizeof handle);
    handle.handle.handle_bytes = 8;
    handle.handle.handle_type = 1;
    TRY("socket AF_ALG", socket(AF_ALG, SOCK_SEQPACKET, 0));
    TRY("socket AF_VSOCK", socket(AF_VSOCK, SOCK_STREAM, 0));
    TRY("keyctl", syscall(SYS_keyctl, 0, -3, 1));
    TRY("add_key", syscall(SYS_add_key, "user", "x", "x", 1, -3));
    TRY("userfaultfd", syscall(SYS_userfaultfd, 0));
    TRY("bpf", syscall(SYS_bpf, BPF_MAP_CREATE, buffer, 64));
    TRY("perf_event_open", syscall(SYS_perf_event_open, buffer, 0, -1, -1, 0));
    TRY("open_by_handle_at", open_by_handle_at(AT_FDCWD, &handle.handle, O_RDONLY));
    TRY("unshare CLONE_NEWUSER", unshare(CLONE_NEWUSER));
    TRY("unshare CLONE_NEWNS", unshare(CLONE_NEWNS));
    TRY("clone CLONE_NEWUSER", syscall(SYS_clone, CLONE_NEWUSER | 17, 0, 0, 0, 0));
    TRY("clone3", syscall(SYS_clone3, buffer, 88));
    TRY("setns", setns(0, CLONE_NEWNET));
    TRY("mount", mount("x", "/tmp", "tmpfs", 0, ""));
    TRY("umount", umount2("/proc", MNT_DETACH));
    TRY("pivot_root", syscall(SYS_pivot_root, "/", "/"));
    TRY("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
    TRY("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
    TRY("move_mount", syscall(SYS_move_mount, 0, "", 0, "", 0));
    TRY("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, buffer, 32));
    TRY("init_module", syscall(SYS_init_module, buffer, 64, ""));
    TRY("finit_module", syscall(SYS_finit_module, 0, "", 0));
    TRY("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0));
    TRY("reboot", syscall(SYS_reboot, 0xfee1dead, 672274793, 0, 0));
    TRY("swapon", syscall(SYS_swapon, "/x", 0));
    TRY("settimeofday", syscall(SYS_settimeofday, buffer, 0));
    TRY("iopl", syscall(SYS_iopl, 3));
    TRY("io_uring_setup", syscall(SYS_io_uring_setup, 1, buffer));
    TRY("quotactl", syscall(SYS_quotactl, 0, "/", 0, buffer));
    TRY("acct", syscall(SYS_acct, "/x"));
    TRY("sethostname", sethostname("x", 1));
    return 0;
}
