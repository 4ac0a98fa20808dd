//! Lines for `/etc/hosts` as text: `name:address` or `name=address`.

use crate::error::{Error, Result};
use std::net::IpAddr;

/// The address that stands for the host, chosen when the container starts.
pub const HOST_GATEWAY: &str = "host-gateway";

/// Name and address. An IPv6 address may be in brackets (docker/cli `opts.ValidateExtraHost`).
pub fn parse(text: &str) -> Result<(String, String)> {
    let (name, address) = text.split_once('=').or_else(|| text.split_once(':')).unwrap_or((text, ""));
    new(name, address)
}

/// The same from two texts, checked.
pub fn new(name: &str, address: &str) -> Result<(String, String)> {
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == ':') {
        return Err(Error::invalid(format!("`{name}` is not a host name")).hint("write it as `name:address`"));
    }
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    if bare != HOST_GATEWAY && bare.parse::<IpAddr>().is_err() {
        return Err(Error::invalid(format!("`{address}` is not an address for the host `{name}`"))
            .hint(format!("write it as `name:192.0.2.1`, or use `{HOST_GATEWAY}`")));
    }
    Ok((name.to_owned(), bare.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_an_address_are_taken() {
        for (text, name, address) in [
            ("host.and.domain.invalid:10.0.2.1", "host.and.domain.invalid", "10.0.2.1"),
            ("six:[2003:ab34:e::1]", "six", "2003:ab34:e::1"),
            ("six=[2003:ab34:e::1]", "six", "2003:ab34:e::1"),
            ("six:::1", "six", "::1"),
            ("six=0:0:0:0:0:0:0:1", "six", "0:0:0:0:0:0:0:1"),
            ("gate:host-gateway", "gate", "host-gateway"),
        ] {
            assert_eq!(parse(text).ok(), Some((name.into(), address.into())), "{text}");
        }
        for text in ["h:192.bad.1", "h=192.bad.1", "h:::::1", "h=[::1", "h=::1]", "h=", "h", "", ":=::1", ":::1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
