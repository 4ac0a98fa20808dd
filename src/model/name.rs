//! Names of containers, volumes and networks: the rule, and names made up for those without one.

use super::Id;
use crate::error::{Error, ErrorKind, Result};

/// Docker's rule (`RestrictedNamePattern`): `[a-zA-Z0-9][a-zA-Z0-9_.-]+`. `noun` is what is named, for
/// the message. A name that looks like a full id would hide the container with that id.
pub fn check(noun: &str, name: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric();
    let bytes = name.as_bytes();
    let valid =
        bytes.len() >= 2 && plain(bytes[0]) && bytes[1..].iter().all(|b| plain(*b) || matches!(b, b'_' | b'.' | b'-'));
    if !valid {
        return Err(Error::invalid(format!("`{name}` is not a name for a {noun}"))
            .hint("use at least two letters, digits, `_`, `.` or `-`, the first of them a letter or digit"));
    }
    if Id::parse(name).is_some() {
        return Err(
            Error::invalid(format!("the {noun} name `{}…` looks like an id", &name[..12])).hint("choose another name")
        );
    }
    Ok(())
}

/// A name for a container that was given none, such as `calm_otter`. `attempt` counts the names that
/// turned out to be taken: from the first on, digits follow.
pub fn random(attempt: u32) -> Result<String> {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(ErrorKind::Io, format!("cannot get random bytes: {error}")))?;
    let pick = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let name = format!("{}_{}", ADJECTIVES[pick(0) % ADJECTIVES.len()], NOUNS[pick(2) % NOUNS.len()]);
    let digits = 10usize.pow(attempt.min(4));
    Ok(if attempt == 0 { name } else { format!("{name}{}", pick(4) % digits) })
}

const ADJECTIVES: [&str; 64] = [
    "able", "airy", "amber", "bold", "brave", "brief", "bright", "brisk", "calm", "clear", "clever", "cosy", "crisp",
    "dapper", "deep", "early", "easy", "fair", "fleet", "fond", "frank", "free", "fresh", "gentle", "glad", "golden",
    "grand", "green", "handy", "happy", "hardy", "honest", "humble", "jolly", "keen", "kind", "light", "lively",
    "loyal", "lucid", "lucky", "mellow", "merry", "mild", "neat", "nimble", "noble", "patient", "placid", "plucky",
    "polite", "proud", "quick", "quiet", "rapid", "ready", "robust", "silver", "steady", "sunny", "swift", "tidy",
    "warm", "wise",
];
const NOUNS: [&str; 64] = [
    "acorn", "anchor", "badger", "bakery", "barge", "basket", "beacon", "beaver", "birch", "bridge", "brook", "cabin",
    "canoe", "cedar", "clover", "cobble", "comet", "crane", "dory", "falcon", "ferry", "finch", "fjord", "gable",
    "garden", "harbor", "hazel", "heron", "hollow", "island", "juniper", "kettle", "lagoon", "lantern", "ledge",
    "linnet", "lodge", "maple", "marten", "meadow", "mill", "moss", "orchard", "otter", "paddle", "pebble", "pier",
    "plover", "porch", "puffin", "quarry", "raft", "reed", "ridge", "robin", "saddle", "shack", "sparrow", "spruce",
    "thicket", "tugboat", "walnut", "willow", "wren",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_dockers_rule() {
        for name in ["web", "a1", "1a", "my.app_1-x", "deadbeef"] {
            assert!(check("container", name).is_ok(), "{name}");
        }
        let id = "a".repeat(64);
        for name in ["", "a", "-ab", ".ab", "_ab", "a b", "a/b", "/web", "naïve", id.as_str()] {
            assert!(check("container", name).is_err(), "{name}");
        }
    }

    #[test]
    fn names_that_are_made_up_are_valid_and_differ_after_a_collision() {
        let name = random(0).unwrap();
        assert!(check("container", &name).is_ok() && name.contains('_'));
        assert!(!name.ends_with(|c: char| c.is_ascii_digit()));
        assert!(random(3).unwrap().ends_with(|c: char| c.is_ascii_digit()));
    }
}
