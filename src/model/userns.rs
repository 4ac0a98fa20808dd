//! The user namespace of a container: whose ids its users are on the host.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Ids from `inside` on are those from `outside` on, `count` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// First id in the container.
    pub inside: u32,
    /// First id on the host.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// Which user namespace a container gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsernsSpec {
    /// The host's: Docker's default.
    #[default]
    Host,
    /// Its own, with ids of the host that nobody else has.
    Auto,
    /// Its own, with these ids.
    Maps {
        /// Users.
        uid: Vec<IdRange>,
        /// Groups.
        gid: Vec<IdRange>,
    },
}

/// Most ranges of a map that the kernel takes (user_namespaces(7)).
const MOST_RANGES: usize = 340;

impl UsernsSpec {
    /// `host`, `auto` or `private`.
    pub fn named(text: &str) -> Result<Self> {
        match text {
            "" | "host" => Ok(Self::Host),
            "auto" | "private" => Ok(Self::Auto),
            _ => Err(Error::invalid(format!("`{text}` is not a user namespace"))
                .hint("it is `host`, `auto`, or maps: `#{ uid: [\"0:100000:65536\"], gid: [\"0:100000:65536\"] }`")),
        }
    }

    /// Its own, with these ids; without `gid` the same for groups.
    pub fn maps(uid: &[String], gid: &[String]) -> Result<Self> {
        let uid_ranges = ranges("uid", uid)?;
        let gid_ranges = if gid.is_empty() { uid_ranges.clone() } else { ranges("gid", gid)? };
        Ok(Self::Maps { uid: uid_ranges, gid: gid_ranges })
    }
}

fn ranges(option: &str, texts: &[String]) -> Result<Vec<IdRange>> {
    let ranges = texts.iter().map(|text| range(text)).collect::<Result<Vec<_>>>()?;
    let bad = |what: String| Err(Error::invalid(format!("the map of `{option}` {what}")));
    if ranges.is_empty() {
        return bad("is empty".to_owned());
    }
    if ranges.len() > MOST_RANGES {
        return bad(format!("has more than {MOST_RANGES} ranges"));
    }
    if !ranges.iter().any(|range| range.inside == 0) {
        return bad("has no id 0: nobody in the container could be root, who starts it".to_owned());
    }
    for (index, one) in ranges.iter().enumerate() {
        for other in &ranges[index + 1..] {
            if overlap(one.inside, other.inside, one, other) || overlap(one.outside, other.outside, one, other) {
                return bad("has ranges that overlap".to_owned());
            }
        }
    }
    Ok(ranges)
}

fn overlap(first: u32, second: u32, one: &IdRange, other: &IdRange) -> bool {
    let end = |start: u32, count: u32| u64::from(start) + u64::from(count);
    u64::from(first) < end(second, other.count) && u64::from(second) < end(first, one.count)
}

fn range(text: &str) -> Result<IdRange> {
    let bad = || Error::invalid(format!("`{text}` is not a range of ids")).hint("write it as `0:100000:65536`");
    let parts: Vec<u32> = text.split(':').map(str::parse).collect::<std::result::Result<_, _>>().map_err(|_| bad())?;
    match parts[..] {
        // The last id is none (user_namespaces(7)).
        [inside, outside, count]
            if count > 0 && inside.checked_add(count).is_some() && outside.checked_add(count).is_some() =>
        {
            Ok(IdRange { inside, outside, count })
        }
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read_and_checked() {
        let of = |uid: &[&str], gid: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
            UsernsSpec::maps(&owned(uid), &owned(gid))
        };
        let range = |inside, outside, count| IdRange { inside, outside, count };
        assert_eq!(
            of(&["0:100000:1000", "1000:0:1"], &[]).unwrap(),
            UsernsSpec::Maps {
                uid: vec![range(0, 100_000, 1000), range(1000, 0, 1)],
                gid: vec![range(0, 100_000, 1000), range(1000, 0, 1)]
            }
        );
        for uid in [
            &[][..],
            &["0:1"],
            &["0:1:0"],
            &["a:1:2"],
            &["1:100000:10"],
            &["0:100000:10", "5:200000:10"],
            &["0:100000:10", "10:100005:10"],
            &["0:4294967290:10"],
        ] {
            assert!(of(uid, &[]).is_err(), "{uid:?}");
        }
    }
}
