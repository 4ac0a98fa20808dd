//! `shanty doctor`: whether this machine runs containers for who asks, and what would mend it.

mod facts;
mod findings;

use super::arguments::Options;
use super::{THREW, print_line};
use facts::Facts;
use findings::{Finding, Level, examine};
use serde_json::json;

/// Writes what was found; 1 when something stops containers from running.
pub fn doctor(options: &Options) -> u8 {
    let facts = Facts::gather(options.root.as_deref());
    let findings = examine(&facts);
    let text = if options.json {
        let found = findings.iter().map(|finding| {
            json!({
                "check": finding.check,
                "level": finding.level.name(),
                "text": finding.text,
                "command": finding.command,
            })
        });
        serde_json::Value::Array(found.collect()).to_string()
    } else {
        drawn(&findings)
    };
    let is_stopped = findings.iter().any(|finding| finding.level == Level::Problem);
    print_line(&text).max(if is_stopped { THREW } else { 0 })
}

/// A line for each, and what mends it on the next one.
fn drawn(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for finding in findings {
        lines.push(format!("{:<7}  {:<width$}  {}", finding.level.name(), finding.check, finding.text));
        if let Some(command) = &finding.command {
            lines.push(format!("{:<7}  {:<width$}  $ {command}", "", ""));
        }
    }
    lines.join("\n")
}
