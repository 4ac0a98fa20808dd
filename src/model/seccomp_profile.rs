//! A system call filter in Docker's JSON format.

use crate::error::{Error, Result};
use oci_spec::runtime::{LinuxSeccompAction, LinuxSeccompFilterFlag, LinuxSeccompOperator};
use serde::{Deserialize, Deserializer};

/// What system calls a container may make. Docker's format is that of the OCI runtime specification, with rules that
/// depend on the container and the machine.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeccompProfile {
    /// What happens to a call that no rule is about.
    pub default_action: LinuxSeccompAction,
    /// The error number of that, when it fails; `None`: EPERM.
    #[serde(default)]
    pub default_errno_ret: Option<u32>,
    /// Where it holds, by name (`SCMP_ARCH_X86_64`); empty with `arch_map` in its place.
    #[serde(default, deserialize_with = "or_empty")]
    pub architectures: Vec<String>,
    /// The same, as what else a machine's own architecture runs.
    #[serde(default, deserialize_with = "or_empty")]
    pub arch_map: Vec<ArchMapEntry>,
    /// How it is loaded.
    #[serde(default, deserialize_with = "or_empty")]
    pub flags: Vec<LinuxSeccompFilterFlag>,
    /// The rules.
    #[serde(default, deserialize_with = "or_empty")]
    pub syscalls: Vec<SyscallRule>,
    /// For who reads it.
    #[serde(default)]
    pub comment: Option<String>,
}

/// An architecture and those that its processors run as well.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArchMapEntry {
    /// The machine's own.
    pub architecture: String,
    /// Further ones.
    #[serde(default, deserialize_with = "or_empty")]
    pub sub_architectures: Vec<String>,
}

/// What happens to some calls.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SyscallRule {
    /// Names of the calls; a kernel that has none of this name ignores it.
    #[serde(default, deserialize_with = "or_empty")]
    pub names: Vec<String>,
    /// One name, as old profiles have it.
    #[serde(default)]
    pub name: Option<String>,
    /// What happens.
    pub action: LinuxSeccompAction,
    /// The error number of that.
    #[serde(default)]
    pub errno_ret: Option<u32>,
    /// What must be true of the arguments.
    #[serde(default, deserialize_with = "or_empty")]
    pub args: Vec<ArgumentRule>,
    /// The rule holds only where all of this is so.
    #[serde(default, deserialize_with = "or_empty")]
    pub includes: Circumstances,
    /// The rule does not hold where any of this is so.
    #[serde(default, deserialize_with = "or_empty")]
    pub excludes: Circumstances,
    /// For who reads it.
    #[serde(default)]
    pub comment: Option<String>,
}

/// A question about an argument.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArgumentRule {
    /// Which argument, 0 to 5.
    pub index: usize,
    /// What it is compared with; the mask of `SCMP_CMP_MASKED_EQ`.
    pub value: u64,
    /// What `SCMP_CMP_MASKED_EQ` compares the rest with.
    #[serde(default)]
    pub value_two: u64,
    /// How.
    pub op: LinuxSeccompOperator,
}

/// What a rule depends on.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Circumstances {
    /// Capabilities of the container: `CAP_SYS_ADMIN`.
    #[serde(default, deserialize_with = "or_empty")]
    pub caps: Vec<String>,
    /// The machine's architecture, in Go's words: `amd64`, `arm64`.
    #[serde(default, deserialize_with = "or_empty")]
    pub arches: Vec<String>,
    /// The oldest kernel: `4.8`.
    #[serde(default)]
    pub min_kernel: Option<KernelVersion>,
}

/// A version of the kernel, major and minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct KernelVersion(pub u32, pub u32);

impl TryFrom<String> for KernelVersion {
    type Error = String;

    /// Takes `4.8`, and ignores what follows in `6.1.0-13-amd64`.
    fn try_from(text: String) -> std::result::Result<Self, String> {
        let mut parts = text.split(|it: char| !it.is_ascii_digit()).map(str::parse);
        match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok(Self(major, minor)),
            _ => Err(format!("`{text}` is not a version of the kernel: write it as `4.8`")),
        }
    }
}

/// The default for `null`, which Go writes for what is empty.
fn or_empty<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(from: D) -> std::result::Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

impl SeccompProfile {
    /// Reads Docker's JSON; `name` is what the profile is called in errors.
    ///
    /// Fails with `invalid` and the place.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        const HINT: &str = "see the format of Docker's seccomp profiles";
        let bad = |what: String| Error::invalid(format!("the system call filter `{name}` is wrong: {what}")).hint(HINT);
        let profile: Self = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        if !profile.architectures.is_empty() && !profile.arch_map.is_empty() {
            return Err(bad("it has both `architectures` and `archMap`".to_owned()));
        }
        for (index, rule) in profile.syscalls.iter().enumerate() {
            let wrong = |what: &str| Err(bad(format!("`syscalls[{index}]` {what}")));
            match (&rule.name, rule.names.as_slice()) {
                (None, []) => return wrong("has no `names`"),
                (Some(_), [_, ..]) => return wrong("has both `name` and `names`"),
                _ => {}
            }
            if let Some(argument) = rule.args.iter().find(|argument| argument.index > 5) {
                return wrong(&format!(
                    "asks for the argument {}: system calls have the arguments 0 to 5",
                    argument.index
                ));
            }
            if rule.action == LinuxSeccompAction::ScmpActNotify {
                return wrong("asks another process (`SCMP_ACT_NOTIFY`), which cannot be done here");
            }
        }
        Ok(profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_profile_is_refused_with_the_place() {
        for (text, says) in [
            ("", "EOF while parsing"),
            ("[]", "line 1 column"),
            ("{}", "missing field `defaultAction`"),
            (r#"{"defaultAction": "DENY"}"#, "unknown variant `DENY`, expected one of `SCMP_ACT_KILL`"),
            (r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscall": []}"#, "unknown field `syscall`"),
            (
                r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_KILL"}]}"#,
                "`syscalls[0]` has no `names`",
            ),
            (
                r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "a", "names": ["b"], "action": "SCMP_ACT_KILL"}]}"#,
                "both `name` and `names`",
            ),
            (
                r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "a", "action": "SCMP_ACT_LOG", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}]}"#,
                "the argument 6",
            ),
            (
                r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "a", "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 0, "op": "EQ"}]}]}"#,
                "unknown variant `EQ`",
            ),
            (
                r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "a", "action": "SCMP_ACT_LOG", "includes": {"minKernel": "new"}}]}"#,
                "`new` is not a version of the kernel",
            ),
            (
                r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86"}]}"#,
                "both `architectures` and `archMap`",
            ),
        ] {
            let error = SeccompProfile::parse("p.json", text).expect_err(text);
            assert!(error.message().contains(says) && error.message().contains("p.json"), "{error:?}");
        }
    }

    #[test]
    fn everything_of_dockers_format_is_read() {
        let text = r#"{
            "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "comment": "ours",
            "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
                        {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null}],
            "syscalls": [{"names": ["read", "nonsense"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "",
                          "includes": {"caps": ["CAP_SYS_ADMIN"], "minKernel": "4.8"}, "excludes": {}}]
        }"#;
        let profile = SeccompProfile::parse("p.json", text).unwrap();
        assert_eq!(profile.syscalls[0].includes.min_kernel, Some(KernelVersion(4, 8)));
        assert_eq!(profile.arch_map[0].sub_architectures, ["SCMP_ARCH_X86"]);
    }
}
