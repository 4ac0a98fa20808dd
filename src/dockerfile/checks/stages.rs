//! Names of stages, what they begin with, and the case of instructions.

use super::Found;
use crate::dockerfile::instruction::{Kind, Span};
use crate::dockerfile::{Dockerfile, Expander, Stage};
use crate::model::{Platform, Reference};
use std::collections::HashSet;

/// Names that mean something else where a stage could stand.
const RESERVED: [&str; 2] = ["context", "scratch"];

pub fn check(file: &Dockerfile, found: &mut Found) {
    let mut names = HashSet::new();
    for stage in &file.stages {
        let span = stage.span;
        if let Some((word, written)) = &stage.written.name {
            as_case(&stage.written.from, word, span, found);
            let name = stage.name.as_deref().unwrap_or_default();
            if written != name {
                let message = format!("the name of the stage `{written}` is not in lower case");
                found.add("StageNameCasing", span, message, format!("write `{name}`"));
            }
            if RESERVED.contains(&name) {
                let message = format!("the stage has the reserved name `{name}`");
                found.add("ReservedStageName", span, message, "choose another name".to_owned());
            }
            if !names.insert(name) {
                let message = format!("there is an earlier stage `{name}`");
                found.add("DuplicateStageName", span, message, "choose another name".to_owned());
            }
            found.description("stage", &[name], &stage.comments, span);
        }
        platform(file, stage, found);
        default_image(file, stage, found);
    }
    instruction_case(file, found);
}

fn as_case(from: &str, word: &str, span: Span, found: &mut Found) {
    let expected = match from {
        _ if from == from.to_lowercase() => word.to_lowercase(),
        _ if from == from.to_uppercase() => word.to_uppercase(),
        // That is for the rule on the case of instructions.
        _ => return,
    };
    if word != expected {
        let message = format!("`{from}` and `{word}` are not in the same case");
        found.add("FromAsCasing", span, message, format!("write `{expected}`"));
    }
}

fn platform(file: &Dockerfile, stage: &Stage, found: &mut Found) {
    const TARGET: &str = "TARGETPLATFORM";
    const VALUE: &str = "the target platform";
    let Some(raw) = &stage.from.platform else { return };
    let env = |name: &str| (name == TARGET).then(|| VALUE.to_owned());
    let Ok(expanded) = Expander::new(file.escape).word(raw, &env) else { return };
    if expanded.defined == [TARGET] && expanded.undefined.is_empty() && expanded.text == VALUE {
        let message = format!("the platform is `{raw}` without saying it");
        found.add("RedundantTargetPlatform", stage.span, message, format!("take `--platform={raw}` away"));
    }
    if !expanded.defined.is_empty() || !expanded.undefined.is_empty() {
        return;
    }
    let Ok(platform) = expanded.text.parse::<Platform>() else { return };
    // A stage for one platform that says so in its name is meant.
    let named = |part: &str| stage.name.as_ref().is_some_and(|name| name.contains(part));
    if !named(&platform.os) && !named(&platform.architecture) {
        let message = format!("the platform is always `{}`", expanded.text);
        let hint = "give the platform to the build, or take `$BUILDPLATFORM`".to_owned();
        found.add("FromPlatformFlagConstDisallowed", stage.span, message, hint);
    }
}

/// Whether the image has a name when no argument is given.
fn default_image(file: &Dockerfile, stage: &Stage, found: &mut Found) {
    let expander = Expander::new(file.escape);
    let mut defaults: Vec<(String, String)> = Vec::new();
    for instruction in &file.args {
        let Kind::Arg(arguments) = &instruction.kind else { continue };
        for (name, default) in arguments {
            let Some(raw) = default else { continue };
            let Ok(value) = expander.word(raw, &|name: &str| last(&defaults, name)) else { return };
            defaults.push((name.clone(), value.text));
        }
    }
    let Ok(image) = expander.word(&stage.from.image, &|name: &str| last(&defaults, name)) else { return };
    if image.text.parse::<Reference>().is_err() && image.text != stage.from.image {
        let message = format!("`{}` is no name of an image when no argument is given", stage.from.image);
        let hint = "give the `ARG` a default: `ARG NAME=value`".to_owned();
        found.add("InvalidDefaultArgInFrom", stage.span, message, hint);
    }
}

fn last(values: &[(String, String)], name: &str) -> Option<String> {
    values.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

/// All in lower case or all in upper case: as most of them are.
fn instruction_case(file: &Dockerfile, found: &mut Found) {
    let keywords: Vec<(&str, Span)> = file
        .stages
        .iter()
        .flat_map(|stage| {
            let own = (stage.written.from.as_str(), stage.span);
            let others = stage.instructions.iter().map(|instruction| (instruction.keyword.as_str(), instruction.span));
            std::iter::once(own).chain(others)
        })
        .collect();
    let count = |is: &dyn Fn(&str) -> bool| keywords.iter().filter(|(keyword, _)| is(keyword)).count();
    let lower = count(&|keyword| keyword == keyword.to_lowercase());
    let upper = count(&|keyword| keyword == keyword.to_uppercase());
    for (keyword, span) in keywords {
        let expected = if lower > upper { keyword.to_lowercase() } else { keyword.to_uppercase() };
        if keyword != expected {
            let message = format!("`{keyword}` is not in the case of most instructions");
            found.add("ConsistentInstructionCasing", span, message, format!("write `{expected}`"));
        }
    }
}
