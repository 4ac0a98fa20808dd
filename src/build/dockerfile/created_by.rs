//! What an instruction leaves in the history, as BuildKit writes it (frontend/dockerfile/dockerfile2llb).

use crate::model::HealthcheckSpec;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

/// What follows those that make a layer.
const LAYER: &str = " # buildkit";

/// `ENV A=1 B=2`.
pub fn pairs(instruction: &str, pairs: &[(String, String)]) -> String {
    pairs.iter().fold(instruction.to_owned(), |line, (name, value)| format!("{line} {name}={value}"))
}

/// `CMD ["node" "server.js"]`: Go's `%q`.
pub fn list(instruction: &str, words: &[String]) -> String {
    format!("{instruction} [{}]", quoted(words))
}

/// `EXPOSE map[80/tcp:{}]`: Go's `%v` of a set.
pub fn set(instruction: &str, members: &[String]) -> String {
    let sorted: BTreeSet<_> = members.iter().map(|member| format!("{member}:{{}}")).collect();
    format!("{instruction} map[{}]", sorted.into_iter().collect::<Vec<_>>().join(" "))
}

/// `HEALTHCHECK &{["CMD-SHELL" "curl x"] "10s" "0s" "0s" "0s" '\x03'}`.
pub fn healthcheck(check: &HealthcheckSpec) -> String {
    let times = [check.interval, check.timeout, check.start_period, check.start_interval];
    let times = times.map(|time| format!("\"{}\"", go_duration(time.unwrap_or_default()))).join(" ");
    let retries = check.retries.unwrap_or(0);
    format!("HEALTHCHECK &{{[{}] {times} '\\x{retries:02x}'}}", quoted(&check.test))
}

/// `RUN |1 VERSION=2 /bin/sh -c make # buildkit`.
pub fn run(argv: &[String], args: &[(String, String)]) -> String {
    let mut line = "RUN ".to_owned();
    if !args.is_empty() {
        let _ = write!(line, "|{} ", args.len());
        for (name, value) in args {
            let _ = write!(line, "{name}={value} ");
        }
    }
    line + argv.join(" ").as_str() + LAYER
}

/// `COPY --chown=1000 src /app # buildkit`.
pub fn copy(instruction: &str, flags: &[String], sources: &[String], target: &str) -> String {
    let words = flags.iter().chain(sources).fold(instruction.to_owned(), |line, word| format!("{line} {word}"));
    format!("{words} {target}{LAYER}")
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" ")
}

/// As Go prints a duration: `1m30s`, `500ms`.
fn go_duration(time: Duration) -> String {
    let (seconds, nanoseconds) = (time.as_secs(), time.subsec_nanos());
    if seconds == 0 {
        return match nanoseconds {
            0 => "0s".to_owned(),
            n if n % 1_000_000 == 0 => format!("{}ms", n / 1_000_000),
            n => format!("{}µs", f64::from(n) / 1000.0),
        };
    }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let rest = seconds as f64 - (hours * 3600 + minutes * 60) as f64 + f64::from(nanoseconds) / 1e9;
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, minutes) => format!("{minutes}m{rest}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_buildkit() {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(list("CMD", &words(&["node", "a \"b\""])), r#"CMD ["node" "a \"b\""]"#);
        assert_eq!(set("EXPOSE", &words(&["80/tcp", "443/tcp"])), "EXPOSE map[443/tcp:{} 80/tcp:{}]");
        assert_eq!(
            run(&words(&["/bin/sh", "-c", "x"]), &[("A".into(), "1".into())]),
            "RUN |1 A=1 /bin/sh -c x # buildkit"
        );
        let check = HealthcheckSpec {
            test: words(&["CMD-SHELL", "true"]),
            interval: Some(Duration::from_secs(90)),
            timeout: Some(Duration::from_millis(500)),
            retries: Some(3),
            ..HealthcheckSpec::default()
        };
        let expected = r#"HEALTHCHECK &{["CMD-SHELL" "true"] "1m30s" "500ms" "0s" "0s" '\x03'}"#;
        assert_eq!(healthcheck(&check), expected);
    }
}
