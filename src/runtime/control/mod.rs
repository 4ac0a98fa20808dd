//! How commands talk to the monitor of a container: messages, and the caller's side of them.
