//! Ports of `EXPOSE`: `80`, `53/udp`, `8000-8010`.

use crate::error::{Error, Result};

/// The ports of a word whose variables have been replaced, as a config has them: `80/tcp`. An address and a port of the
/// host, which do not belong there, are passed over as BuildKit does.
///
/// # Errors
/// `invalid` when it is no port.
pub fn ports(word: &str) -> Result<Vec<String>> {
    let wrong = || Error::invalid(format!("`{word}` is no port")).hint("write it as `80`, `53/udp` or `8000-8010`");
    let (host, own) = split(word);
    let (range, protocol) = own.split_once('/').unwrap_or((own, ""));
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "" => "tcp".to_owned(),
        known @ ("tcp" | "udp" | "sctp") => known.to_owned(),
        _ => return Err(wrong()),
    };
    let (first, last) = self::range(range).ok_or_else(wrong)?;
    if let Some((address, port)) = host {
        let address = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
        if !address.is_empty() && address.parse::<std::net::IpAddr>().is_err() {
            return Err(wrong());
        }
        if !port.is_empty() {
            let (start, end) = self::range(port).ok_or_else(wrong)?;
            if end - start != last - first && last != first {
                return Err(wrong());
            }
        }
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

/// The address and port of the host, when there are any, and the rest.
pub fn split(word: &str) -> (Option<(&str, &str)>, &str) {
    match word.rsplit_once(':') {
        None => (None, word),
        Some((host, own)) => (Some(host.rsplit_once(':').unwrap_or(("", host))), own),
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_numbers_with_a_protocol() {
        for (word, expected) in [
            ("80", &["80/tcp"][..]),
            ("53/udp", &["53/udp"]),
            ("3456/SCTP", &["3456/sctp"]),
            ("80/", &["80/tcp"]),
            ("1234-1236/tcp", &["1234/tcp", "1235/tcp", "1236/tcp"]),
            ("8080:80", &["80/tcp"]),
            ("0.0.0.0:2345-2347:2345-2347/udp", &["2345/udp", "2346/udp", "2347/udp"]),
            ("[2001:4860:0:2001::68]::333", &["333/tcp"]),
            ("::1:80:80", &["80/tcp"]),
            ("1000-1010:80", &["80/tcp"]),
        ] {
            assert_eq!(ports(word).unwrap(), expected, "{word}");
        }
        for word in ["", "x", "/tcp", "80/icmp", "65536", "-1", "90-80", "0.0.0.0:1234-1235:/tcp", "x:1:1", "1-2:80-82"]
        {
            assert!(ports(word).is_err(), "{word}");
        }
    }
}
