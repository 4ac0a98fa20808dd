//! The network of containers, on a host made of network namespaces.

mod allocation;
mod host;
mod isolation;
mod named;
mod published;
