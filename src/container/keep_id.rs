//! `userns: "keep-id"`: the user who calls has its own number in the container, so that what it makes in a bind mount is the
//! user's, and so does what the image has of root's, since nothing shows a layer with other owners to an ordinary user.

use crate::model::{IdMaps, IdRange};
use crate::privilege::Privilege;

/// The maps: the user outside, who is root of the namespace around it, has its own number. Root has a number that is free
/// then; all others are who they are.
pub fn maps(privilege: Privilege) -> IdMaps {
    let uid = swapped(privilege.uid(), privilege.uid_count());
    IdMaps { uid, gid: swapped(privilege.gid(), privilege.gid_count()) }
}

/// The name of that user for a program: its numbers.
pub fn user(privilege: Privilege) -> String {
    format!("{}:{}", privilege.uid(), privilege.gid())
}

/// `count` ids, of which `own` inside is 0 outside.
fn swapped(own: u32, count: u32) -> Vec<IdRange> {
    let range = |inside, outside, count| IdRange { inside, outside, count };
    if own == 0 {
        return vec![range(0, 0, count)];
    }
    let mut ranges = vec![range(own, 0, 1)];
    if count > 1 {
        // Outside it is our own number that is free, or the last one.
        let root = own.min(count - 1);
        ranges.push(range(0, root, 1));
        if root > 1 {
            ranges.push(range(1, 1, root - 1));
        }
        if root + 1 < count {
            ranges.push(range(root + 1, root + 1, count - root - 1));
        }
    }
    ranges.sort_by_key(|range| range.inside);
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_keeps_its_number_and_all_others_are_somebody() {
        for (own, count) in [(1000, 65_537), (1000, 1), (70_000, 65_537), (1, 2), (1, 65_537), (65_536, 65_537), (0, 5)]
        {
            let ranges = swapped(own, count);
            let maps = IdMaps { uid: ranges.clone(), gid: ranges.clone() };
            assert_eq!(maps.on_host((own, own)), Some((0, 0)), "{own} {count}");
            let mut outside: Vec<_> = ranges.iter().flat_map(|it| it.outside..it.outside + it.count).collect();
            outside.sort_unstable();
            assert_eq!(outside, (0..count).collect::<Vec<_>>(), "{own} {count}");
            assert_eq!(maps.on_host((0, 0)).is_some(), count > 1 || own == 0, "{own} {count}");
        }
    }
}
