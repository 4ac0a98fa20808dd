//! The limits of a container: as the runtime takes them, and which of them cannot be.

use crate::error::{Error, IoContext, Result};
use crate::model::ResourceLimits;

/// Docker's least memory limit, bytes: with less, nothing starts.
const LEAST_MEMORY: u64 = 6 << 20;
/// The least share of a processor: a quota of a millisecond is the kernel's least.
const LEAST_CPUS: f64 = 0.01;
/// The kernel's highest processor number is below this.
const MOST_PROCESSORS: usize = 8192;

/// Of limits that were put together, those that are set anew: memory and swap belong to each other.
pub fn changes(changes: &ResourceLimits, limits: &ResourceLimits) -> ResourceLimits {
    if changes.memory.is_none() && changes.memory_swap.is_none() {
        return changes.clone();
    }
    ResourceLimits { memory: limits.memory, memory_swap: limits.memory_swap, ..changes.clone() }
}

/// Refuses what the kernel would refuse in words that nobody understands, by Docker's rules.
pub fn check(limits: &ResourceLimits) -> Result<()> {
    check_memory(limits)?;
    check_processors(limits)?;
    match limits.io_weight {
        None | Some(0 | 10..=1000) => Ok(()),
        Some(weight) => Err(Error::invalid(format!("`io_weight` is {weight}, which is not from 10 to 1000"))
            .hint("the weight of other containers is 500")),
    }
}

fn check_memory(limits: &ResourceLimits) -> Result<()> {
    let given = |bytes: Option<u64>| bytes.filter(|bytes| *bytes != 0);
    let (memory, reservation) = (given(limits.memory), given(limits.memory_reservation));
    if let Some(bytes) = memory.filter(|bytes| *bytes < LEAST_MEMORY) {
        return Err(
            Error::invalid(format!("a memory limit of {bytes} bytes is too small")).hint("give it `6m` at least")
        );
    }
    if let Some(bytes) = reservation.filter(|bytes| *bytes < LEAST_MEMORY) {
        return Err(
            Error::invalid(format!("a memory reservation of {bytes} bytes is too small")).hint("give it `6m` at least")
        );
    }
    if let (Some(memory), Some(reservation)) = (memory, reservation)
        && reservation > memory
    {
        return Err(Error::invalid(format!(
            "`memory_reservation` ({reservation} bytes) is more than `memory` ({memory} bytes)"
        ))
        .hint("the reservation is the part of the limit that is given back last: choose a smaller one"));
    }
    match (limits.memory_swap.and_then(|both| u64::try_from(both).ok()).filter(|both| *both != 0), memory) {
        (Some(_), None) => Err(Error::invalid("`memory_swap` needs a `memory` limit")
            .hint("set `memory` as well: `memory_swap` is memory and swap together")),
        (Some(both), Some(memory)) if both < memory => {
            Err(Error::invalid(format!("`memory_swap` ({both} bytes) is less than `memory` ({memory} bytes)"))
                .hint("it is memory and swap together: the same as `memory` means no swap, -1 no limit"))
        }
        _ => Ok(()),
    }
}

fn check_processors(limits: &ResourceLimits) -> Result<()> {
    let cpuset = limits.cpuset.as_deref().map(str::trim).filter(|list| !list.is_empty());
    let cpus = limits.cpus.filter(|cpus| *cpus > 0.0);
    if let Some(shares) = limits.cpu_shares.filter(|shares| !matches!(shares, 0 | 2..=262_144)) {
        return Err(Error::invalid(format!("`cpu_shares` is {shares}, which is not from 2 to 262144"))
            .hint("the share of other containers is 1024"));
    }
    if cpuset.is_none() && cpus.is_none() {
        return Ok(());
    }
    let path = "/sys/devices/system/cpu/online";
    let online = std::fs::read_to_string(path).doing(|| format!("cannot read `{path}`"))?;
    let available = processors(online.trim()).ok_or_else(|| Error::invalid(format!("cannot read `{path}`")))?;
    if let Some(cpus) = cpus
        && !(LEAST_CPUS..=available.len() as f64).contains(&cpus)
    {
        let many = if available.len() == 1 { "is one processor" } else { "are that many processors" };
        return Err(Error::invalid(format!("`cpus` is {cpus}, which is not from 0.01 to {}", available.len()))
            .hint(format!("there {many}: ask for less, or for a share with `cpu_shares`")));
    }
    if let Some(list) = cpuset {
        let asked = processors(list).ok_or_else(|| {
            Error::invalid(format!("`cpuset` is `{list}`, which is no list of processors"))
                .hint("write it as `0-3,5`, or as `0` for the first one")
        })?;
        if let Some(missing) = asked.iter().find(|number| !available.contains(number)) {
            return Err(Error::invalid(format!("`cpuset` is `{list}`, but there is no processor {missing}"))
                .hint(format!("this machine has the processors `{}`", online.trim())));
        }
    }
    Ok(())
}

/// The numbers of a list such as `0-3,5`.
fn processors(list: &str) -> Option<Vec<usize>> {
    let mut numbers = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if first > last || last >= MOST_PROCESSORS {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors_are_read_as_the_kernel_does() {
        let cases: [(&str, Option<&[usize]>); 8] = [
            ("0", Some(&[0])),
            ("0-2,5", Some(&[0, 1, 2, 5])),
            ("3, 1", Some(&[3, 1])),
            ("", None),
            ("2-1", None),
            ("a", None),
            ("-1", None),
            ("0-99999999999", None),
        ];
        for (list, numbers) in cases {
            assert_eq!(processors(list).as_deref(), numbers, "{list}");
        }
    }
}
