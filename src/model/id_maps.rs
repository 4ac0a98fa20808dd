//! Which ids of the host the users of a user namespace are.

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

/// The maps of users and of groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMaps {
    /// Users.
    pub uid: Vec<IdRange>,
    /// Groups.
    pub gid: Vec<IdRange>,
}

/// A user and a group.
pub type Owner = (u32, u32);

/// Most ranges of a map that the kernel takes (user_namespaces(7)).
const MOST_RANGES: usize = 340;

impl IdMaps {
    /// Maps as they are written, `inside:outside:count`; without `gid` the same for groups.
    pub fn parse(uid: &[String], gid: &[String]) -> Result<Self> {
        let uid_ranges = ranges("uid", uid)?;
        let gid_ranges = if gid.is_empty() { uid_ranges.clone() } else { ranges("gid", gid)? };
        Ok(Self { uid: uid_ranges, gid: gid_ranges })
    }

    /// The host's ids of an owner in the container; `None` when one of them has none.
    pub fn on_host(&self, (uid, gid): Owner) -> Option<Owner> {
        let of = |ranges: &[IdRange], id| ranges.iter().find_map(|it| shifted(id, it.inside, it.outside, it.count));
        Some((of(&self.uid, uid)?, of(&self.gid, gid)?))
    }

    /// What an owner on the host is in the container; each id that is nobody's there is the overflow id, as the kernel
    /// shows it.
    pub fn in_container(&self, (uid, gid): Owner) -> Owner {
        let of = |ranges: &[IdRange], id| ranges.iter().find_map(|it| shifted(id, it.outside, it.inside, it.count));
        (of(&self.uid, uid).unwrap_or(OVERFLOW), of(&self.gid, gid).unwrap_or(OVERFLOW))
    }
}

/// `nobody`: the default of `/proc/sys/kernel/overflowuid`.
const OVERFLOW: u32 = 65_534;

fn shifted(id: u32, from: u32, to: u32, count: u32) -> Option<u32> {
    let distance = id.checked_sub(from).filter(|distance| *distance < count)?;
    to.checked_add(distance)
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
            IdMaps::parse(&owned(uid), &owned(gid))
        };
        let range = |inside, outside, count| IdRange { inside, outside, count };
        assert_eq!(
            of(&["0:100000:1000", "1000:0:1"], &[]).unwrap(),
            IdMaps {
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

    #[test]
    fn owners_are_mapped_both_ways() {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let maps = IdMaps::parse(&owned(&["0:700000:1000", "1000:5:1"]), &owned(&["0:720000:10"])).unwrap();
        assert_eq!(maps.on_host((1000, 9)), Some((5, 720_009)));
        assert_eq!((maps.on_host((1001, 0)), maps.on_host((0, 10))), (None, None));
        assert_eq!(maps.in_container((700_999, 720_000)), (999, 0));
        assert_eq!(maps.in_container((0, 720_010)), (65_534, 65_534));
    }
}
