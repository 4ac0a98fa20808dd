//! Programs that die at a chosen one of the system calls by which something lasts: syncs and renames.
//!
//! A seccomp filter stops the program at these calls, and the test, which traces it with all its threads and children,
//! counts them. All other calls run at their own speed, and the program knows nothing of it.

use nix::errno::Errno;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use shanty::sys::seccomp::{self, Instruction};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::process::{Command, Stdio};

/// On which side of the chosen call the program dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The call is never made.
    Before,
    /// The call is the last thing that is done.
    After,
}

/// How a program came to its end.
#[derive(Debug)]
pub struct End {
    /// The calls that it made, also those of its children, the last one being the one that it died at.
    pub calls: Vec<&'static str>,
    /// Whether it was killed, or one of its children.
    pub killed: bool,
    /// Whether the program itself ended with success.
    pub success: bool,
    /// What it wrote, for a person to read.
    pub output: String,
}

/// The calls that are counted.
const CALLS: [(&str, libc::c_long); 8] = [
    ("fsync", libc::SYS_fsync),
    ("fdatasync", libc::SYS_fdatasync),
    ("sync", libc::SYS_sync),
    ("syncfs", libc::SYS_syncfs),
    ("msync", libc::SYS_msync),
    #[cfg(target_arch = "x86_64")]
    ("rename", libc::SYS_rename),
    #[cfg(not(target_arch = "x86_64"))]
    ("rename", libc::SYS_renameat),
    ("renameat", libc::SYS_renameat),
    ("renameat2", libc::SYS_renameat2),
];

/// Runs a program to its end. With `death`, it dies at the call with this number, counted from one; without, nobody dies.
pub fn run(command: Command, death: Option<(usize, Moment)>) -> End {
    // Its filter and what it traces are this thread's alone.
    std::thread::spawn(move || trace(&command, death)).join().unwrap()
}

fn trace(command: &Command, death: Option<(usize, Moment)>) -> End {
    let mut output = tempfile::tempfile().unwrap();
    // It waits for a line, until it is traced: what nobody traces gets an error from a filtered call.
    let mut waiting = Command::new("/bin/sh");
    waiting.args(["-c", r#"read -r go && exec "$0" "$@""#]).arg(command.get_program()).args(command.get_args());
    waiting.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    waiting.current_dir(command.get_current_dir().unwrap());
    let write = || Stdio::from(output.try_clone().unwrap());
    waiting.stdin(Stdio::piped()).stdout(write()).stderr(write());
    seccomp::load(&filter()).unwrap();
    #[allow(clippy::zombie_processes)] // it is waited for below, as one of those that are traced
    let mut child = waiting.spawn().unwrap();
    let program = Pid::from_raw(child.id().cast_signed());
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACESECCOMP
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(program, options).unwrap();
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let mut end = End { calls: Vec::new(), killed: false, success: false, output: String::new() };
    follow(program, death, &mut end);
    end.output = read(&mut output);
    end
}

/// Until nobody is left who is traced.
fn follow(program: Pid, death: Option<(usize, Moment)>, end: &mut End) {
    let seccomp_stop = Event::PTRACE_EVENT_SECCOMP as libc::c_int;
    let mut doomed = None;
    loop {
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        let status = match waitpid(None, Some(flags)) {
            Ok(status) => status,
            Err(Errno::EINTR) => continue,
            Err(Errno::ECHILD) => return,
            Err(errno) => panic!("waitpid: {errno}"),
        };
        // Who was killed meanwhile cannot be told to go on, and need not be.
        let _ = match status {
            WaitStatus::PtraceEvent(thread, _, event) if event == seccomp_stop => {
                let call = ptrace::getevent(thread).map_or(0, |data| data as usize);
                end.calls.push(CALLS[call].0);
                match death.filter(|(number, _)| *number == end.calls.len()) {
                    Some((_, Moment::Before)) => {
                        end.killed = true;
                        kill(process_of(thread), Signal::SIGKILL)
                    }
                    Some((_, Moment::After)) => {
                        doomed = Some(thread);
                        ptrace::syscall(thread, None)
                    }
                    None => ptrace::cont(thread, None),
                }
            }
            WaitStatus::PtraceSyscall(thread) if doomed == Some(thread) => {
                end.killed = true;
                kill(process_of(thread), Signal::SIGKILL)
            }
            WaitStatus::PtraceSyscall(thread) | WaitStatus::PtraceEvent(thread, ..) => ptrace::cont(thread, None),
            WaitStatus::Stopped(thread, signal) => ptrace::cont(thread, signal),
            WaitStatus::Exited(process, code) => {
                end.success |= process == program && code == 0;
                Ok(())
            }
            _ => Ok(()),
        };
    }
}

/// The process that a thread belongs to.
fn process_of(thread: Pid) -> Pid {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).unwrap();
    let process = status.lines().find_map(|line| line.strip_prefix("Tgid:")).unwrap();
    Pid::from_raw(process.trim().parse().unwrap())
}

/// Stops at the calls, with their numbers in [`CALLS`] for the tracer; everything else goes on.
fn filter() -> Vec<Instruction> {
    const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let instruction = |code, jf, k| Instruction { code, jt: 0, jf, k };
    let mut program = vec![instruction(LOAD_WORD, 0, 0)]; // `seccomp_data.nr`
    for (index, (_, number)) in CALLS.iter().enumerate() {
        program.push(instruction(JUMP_IF_EQUAL, 1, *number as u32));
        program.push(instruction(RETURN, 0, libc::SECCOMP_RET_TRACE | index as u32));
    }
    program.push(instruction(RETURN, 0, libc::SECCOMP_RET_ALLOW));
    program
}

fn read(file: &mut File) -> String {
    let mut text = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut text)).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}
