//! The exit code, and which role of the binary this process plays.

fn main() {}
