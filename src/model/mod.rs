//! Pure data, no I/O: the nouns of containers and their text forms, one type a file.

mod container_info;
mod container_spec;
mod digest;
mod filter;
mod id;
mod image_info;
mod mount;
mod output;
mod platform;
mod port;
mod reference;
mod status;

pub use container_info::ContainerInfo;
pub use container_spec::{ContainerSpec, ExecSpec, HealthcheckSpec, RestartPolicy, Ulimit};
pub use digest::Digest;
pub use filter::{ContainerFilter, ImageFilter};
pub use id::{Id, short_id};
pub use image_info::ImageInfo;
pub use mount::{MountKind, MountSpec};
pub use output::{ExecIo, LogLine, LogOptions, OutputSink, RunOutput, Stream};
pub use platform::Platform;
pub use port::{PortSpec, Protocol, PublishedPort};
pub use reference::Reference;
pub use status::Status;
