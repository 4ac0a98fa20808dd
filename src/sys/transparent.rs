//! Sockets that have addresses of others: what is on its way elsewhere is received, and answered in the name of who was
//! meant (`IP_TRANSPARENT`, ip(7); Documentation/networking/tproxy.rst).
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessageOwned, MsgFlags, SockFlag, SockType, SockaddrIn, SockaddrIn6,
    SockaddrStorage, bind, connect, getsockopt, listen, recvmsg, setsockopt, socket, sockopt,
};
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

/// Connections that wait to be accepted at most.
const BACKLOG: i32 = 256;
/// `IPV6_TRANSPARENT` of `linux/in6.h`.
const IPV6_TRANSPARENT: libc::c_int = 75;

/// A listener that gets connections to other addresses too, where the packet filter leads them here.
pub fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(address, SockType::Stream, SockFlag::empty())?;
    listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok(TcpListener::from(socket))
}

/// A socket that gets datagrams to other addresses too; [`receive`] says where each was to go.
pub fn receive_at(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = open(address, SockType::Datagram, SockFlag::empty())?;
    if address.is_ipv4() {
        setsockopt(&socket, sockopt::Ipv4OrigDstAddr, &true)?;
    } else {
        setsockopt(&socket, sockopt::Ipv6OrigDstAddr, &true)?;
    }
    Ok(UdpSocket::from(socket))
}

/// A datagram: its length, who sent it, and to whom.
pub fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr, SocketAddr)> {
    let mut parts = [IoSliceMut::new(buffer)];
    let mut control = nix::cmsg_space!(libc::sockaddr_in6);
    let received = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty())?;
    let mut wanted = None;
    for message in received.cmsgs()? {
        match message {
            ControlMessageOwned::Ipv4OrigDstAddr(address) => {
                wanted = Some(SocketAddrV4::from(SockaddrIn::from(address)).into());
            }
            ControlMessageOwned::Ipv6OrigDstAddr(address) => {
                wanted = Some(SocketAddrV6::from(SockaddrIn6::from(address)).into());
            }
            _ => {}
        }
    }
    let sender = received.address.as_ref().and_then(address_of);
    match (sender, wanted) {
        (Some(sender), Some(wanted)) => Ok((received.bytes, sender, wanted)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// A socket from one address of others to another address, for datagrams.
pub fn between(from: SocketAddr, to: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::from(open(from, SockType::Datagram, SockFlag::empty())?);
    socket.connect(to)?;
    Ok(socket)
}

/// A connection from an address of others.
pub fn connect_from(from: SocketAddr, to: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    let socket = open(from, SockType::Stream, SockFlag::SOCK_NONBLOCK)?;
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(to)) {
        Ok(()) => {}
        Err(Errno::EINPROGRESS) => {
            let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
            if poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)], limit)? == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match getsockopt(&socket, sockopt::SocketError)? {
                0 => {}
                number => return Err(io::Error::from_raw_os_error(number)),
            }
        }
        Err(errno) => return Err(errno.into()),
    }
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Where a connection was to go that the packet filter redirected here (`SO_ORIGINAL_DST`).
pub fn original_destination(stream: &TcpStream) -> io::Result<SocketAddr> {
    if stream.local_addr()?.is_ipv4() {
        Ok(SocketAddrV4::from(SockaddrIn::from(getsockopt(stream, sockopt::OriginalDst)?)).into())
    } else {
        Ok(SocketAddrV6::from(SockaddrIn6::from(getsockopt(stream, sockopt::Ip6tOriginalDst)?)).into())
    }
}

fn address_of(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddrV4::from(*address).into());
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddrV6::from(*address).into()))
}

fn open(address: SocketAddr, kind: SockType, flags: SockFlag) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC | flags, None)?;
    // Several of the same address, each connected to somebody else.
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    let (level, option) = if address.is_ipv4() {
        (libc::SOL_IP, libc::IP_TRANSPARENT)
    } else {
        setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
        (libc::SOL_IPV6, IPV6_TRANSPARENT)
    };
    let on: libc::c_int = 1;
    // SAFETY: the value is a valid `int` for the time of the call, and its length is given.
    Errno::result(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(&on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    })?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(socket)
}
