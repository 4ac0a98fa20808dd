//! The health check of a container: its own and its image's, put together as Docker does.

use crate::model::{ContainerSpec, HealthcheckSpec};
use crate::runtime::health::HealthPlan;
use std::time::Duration;

/// Docker's defaults.
const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const START_INTERVAL: Duration = Duration::from_secs(5);
const RETRIES: u32 = 3;

/// What is checked; `None`: nothing. What the container does not say, its image does.
pub fn plan(spec: &ContainerSpec, image: Option<&HealthcheckSpec>) -> Option<HealthPlan> {
    let (nothing, none) = (HealthcheckSpec::default(), HealthcheckSpec::default());
    let (own, image) = (spec.healthcheck.as_ref().unwrap_or(&nothing), image.unwrap_or(&none));
    let test = if own.test.is_empty() { &image.test } else { &own.test };
    let argv = match test.split_first() {
        Some((kind, words)) if kind == "CMD" && !words.is_empty() => words.to_vec(),
        Some((kind, [line, ..])) if kind == "CMD-SHELL" => vec!["/bin/sh".into(), "-c".into(), line.clone()],
        _ => return None,
    };
    // Docker: zero is the default, too.
    let time = |own: Option<Duration>, image: Option<Duration>, default: Duration| {
        own.filter(|time| !time.is_zero()).or(image.filter(|time| !time.is_zero())).unwrap_or(default)
    };
    Some(HealthPlan {
        argv,
        interval: time(own.interval, image.interval, INTERVAL),
        timeout: time(own.timeout, image.timeout, TIMEOUT),
        start_period: time(own.start_period, image.start_period, Duration::ZERO),
        start_interval: time(own.start_interval, image.start_interval, START_INTERVAL),
        retries: own.retries.filter(|retries| *retries > 0).or(image.retries).filter(|it| *it > 0).unwrap_or(RETRIES),
        on_unhealthy: spec.on_unhealthy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Own check, the image's, and what they come to: argv, interval in seconds, retries.
    type Case<'a> = (Option<HealthcheckSpec>, Option<&'a HealthcheckSpec>, &'a [&'a str], u64, u32);

    fn check(test: &[&str], interval: u64, retries: u32) -> HealthcheckSpec {
        HealthcheckSpec {
            test: test.iter().map(|word| (*word).to_owned()).collect(),
            interval: Some(Duration::from_secs(interval)),
            retries: Some(retries),
            ..HealthcheckSpec::default()
        }
    }

    #[test]
    fn own_and_image_are_merged_as_in_docker() {
        let image = check(&["CMD", "image"], 7, 5);
        let shell = check(&["CMD-SHELL", "a | b"], 0, 0);
        // (own, image, argv, interval, retries)
        let cases: [Case<'_>; 6] = [
            (None, None, &[], 0, 0),
            (None, Some(&image), &["image"], 7, 5),
            (Some(check(&[], 9, 0)), Some(&image), &["image"], 9, 5),
            (Some(shell.clone()), None, &["/bin/sh", "-c", "a | b"], 30, 3),
            (Some(shell), Some(&image), &["/bin/sh", "-c", "a | b"], 7, 5),
            (Some(check(&["NONE"], 1, 1)), Some(&image), &[], 0, 0),
        ];
        for (own, image, argv, interval, retries) in cases {
            let spec = ContainerSpec { healthcheck: own.clone(), ..ContainerSpec::default() };
            let plan = plan(&spec, image);
            let seen = plan.as_ref().map_or((vec![], 0, 0), |plan| {
                (plan.argv.iter().map(String::as_str).collect(), plan.interval.as_secs(), plan.retries)
            });
            assert_eq!(seen, (argv.to_vec(), interval, retries), "{own:?}");
        }
    }
}
