//! Variables that nobody has set, and what else only their values show.

use super::{CheckInput, Found};
use crate::dockerfile::expose;
use crate::dockerfile::instruction::{Copy, Instruction, Kind, Span};
use crate::dockerfile::nearest::nearest;
use crate::dockerfile::{Dockerfile, Expander, Stage};
use std::collections::HashMap;

/// What BuildKit sets for `FROM`, and for stages that declare it.
const PLATFORM_ARGS: [&str; 11] = [
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETOSVERSION",
    "TARGETARCH",
    "TARGETVARIANT",
    "TARGETSTAGE",
];

pub fn check(file: &Dockerfile, input: &CheckInput<'_>, found: &mut Found) {
    let expander = Expander::new(file.escape);
    let mut global = Scope::default();
    for instruction in &file.args {
        let Kind::Arg(arguments) = &instruction.kind else { continue };
        super::instructions::secrets("ARG", arguments.iter().map(|(name, _)| name.as_str()), instruction.span, found);
        let names: Vec<_> = arguments.iter().map(|(name, _)| name.as_str()).collect();
        found.description("argument", &names, &instruction.comments, instruction.span);
        for (name, default) in arguments {
            let value = default.as_ref().and_then(|raw| expander.word(raw, &|name: &str| global.value(name)).ok());
            global.set(name, value.map(|value| value.text));
        }
    }
    let mut stages: HashMap<String, Scope> = HashMap::new();
    for (number, stage) in file.stages.iter().enumerate() {
        from(expander, stage, &global, found);
        let mut scope = stages.get(&stage.from.image.to_lowercase()).cloned().unwrap_or_else(|| base(stage, input));
        for instruction in &stage.instructions {
            let mut words = Words { expander, scope: &scope, input, span: instruction.span, found };
            words.check(instruction);
            scope.apply(expander, instruction, &global);
        }
        // What a stage declares as `ARG` is there in those that begin with it, too.
        stages.insert(number.to_string(), scope.clone());
        if let Some(name) = &stage.name {
            stages.insert(name.clone(), scope);
        }
    }
}

/// What a stage knows.
#[derive(Clone, Default)]
struct Scope {
    /// Names and values; `None`: a value that is not known here.
    values: Vec<(String, Option<String>)>,
    /// Names of `ARG`, which are known, with a value or not.
    arguments: Vec<String>,
    /// An image whose variables are not known.
    unknown_base: Option<String>,
    has_workdir: bool,
}

/// Stands for a value that is not known.
const UNKNOWN: &str = "\u{fffd}";

impl Scope {
    fn set(&mut self, name: &str, value: Option<String>) {
        self.values.retain(|(known, _)| known != name);
        self.values.push((name.to_owned(), value));
    }

    fn value(&self, name: &str) -> Option<String> {
        let known = self.values.iter().find(|(known, _)| known == name);
        known.map(|(_, value)| value.clone().unwrap_or_else(|| UNKNOWN.to_owned()))
    }

    fn knows(&self, name: &str) -> bool {
        self.value(name).is_some() || self.arguments.iter().any(|known| known == name)
    }

    /// What an instruction changes for those after it.
    fn apply(&mut self, expander: Expander, instruction: &Instruction, global: &Self) {
        let text =
            |scope: &Self, raw: &str| expander.word(raw, &|name: &str| scope.value(name)).ok().map(|word| word.text);
        match &instruction.kind {
            Kind::Env(pairs) => {
                let values: Vec<_> = pairs.iter().map(|(name, raw)| (name.clone(), text(self, raw))).collect();
                for (name, value) in values {
                    self.set(&name, value);
                }
            }
            Kind::Arg(arguments) => {
                for (name, default) in arguments {
                    self.arguments.push(name.clone());
                    match default {
                        Some(raw) => self.set(name, text(self, raw)),
                        None => {
                            if let Some(value) = global.value(name) {
                                self.set(name, Some(value));
                            } else if PLATFORM_ARGS.contains(&name.as_str()) {
                                self.set(name, None);
                            }
                        }
                    }
                }
            }
            Kind::Workdir(_) => self.has_workdir = true,
            _ => {}
        }
    }
}

/// What the image of a stage brings.
fn base(stage: &Stage, input: &CheckInput<'_>) -> Scope {
    let mut scope = Scope::default();
    // BuildKit sets it when the image does not.
    scope.set("PATH", None);
    let image = &stage.from.image;
    if image != "scratch" {
        match input.base_env.and_then(|env| env(image)) {
            Some(names) => names.iter().for_each(|name| scope.set(name, None)),
            None => scope.unknown_base = Some(image.clone()),
        }
    }
    scope
}

/// Arguments in `FROM` have to be declared before the first stage.
fn from(expander: Expander, stage: &Stage, global: &Scope, found: &mut Found) {
    let mut undefined = Vec::new();
    for raw in [Some(&stage.from.image), stage.from.platform.as_ref()].into_iter().flatten() {
        let Ok(expanded) = expander.word(raw, &|name: &str| global.value(name)) else { continue };
        undefined.extend(expanded.undefined);
    }
    for name in undefined {
        if global.knows(&name) || PLATFORM_ARGS.contains(&name.as_str()) {
            continue;
        }
        let known = global.values.iter().map(|(known, _)| known.as_str()).chain(PLATFORM_ARGS);
        let hint = match nearest(&name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("put `ARG {name}` before the first FROM"),
        };
        let message = format!("the argument `{name}` is not declared");
        found.add("UndefinedArgInFrom", stage.span, message, hint);
    }
}

/// The words of one instruction whose variables are replaced.
struct Words<'a> {
    expander: Expander,
    scope: &'a Scope,
    input: &'a CheckInput<'a>,
    span: Span,
    found: &'a mut Found,
}

impl Words<'_> {
    fn check(&mut self, instruction: &Instruction) {
        match &instruction.kind {
            Kind::Add(copy) => self.copy("ADD", copy),
            Kind::Copy(copy) => self.copy("COPY", copy),
            Kind::Arg(arguments) => {
                let defaults = arguments.iter().filter_map(|(_, default)| default.as_ref());
                defaults.for_each(|raw| drop(self.word(raw)));
            }
            Kind::Env(pairs) | Kind::Label(pairs) => {
                for (name, value) in pairs {
                    self.word(name);
                    self.word(value);
                }
            }
            Kind::Expose(words) => words.iter().for_each(|raw| self.expose(raw)),
            Kind::Run(run) => run.mounts.iter().for_each(|raw| drop(self.word(raw))),
            Kind::StopSignal(raw) | Kind::User(raw) => drop(self.word(raw)),
            Kind::Volume(paths) => paths.iter().for_each(|raw| drop(self.word(raw))),
            Kind::Workdir(raw) => {
                let path = self.word(raw);
                let is_relative = path.is_some_and(|path| !path.starts_with('/') && !path.starts_with(UNKNOWN));
                if is_relative && !self.scope.has_workdir {
                    let message = format!("where `{raw}` is depends on the base image");
                    let hint = "begin it with `/`".to_owned();
                    self.found.add("WorkdirRelativePath", self.span, message, hint);
                }
            }
            _ => {}
        }
    }

    /// Its text; `None` when something of it is not known.
    fn word(&mut self, raw: &str) -> Option<String> {
        let expanded = self.expander.word(raw, &|name: &str| self.scope.value(name)).ok()?;
        self.report(&expanded.undefined).then_some(expanded.text)
    }

    /// Says which names nobody has set; whether there are none.
    fn report(&mut self, undefined: &[String]) -> bool {
        for name in undefined {
            if self.scope.knows(name) || self.input.build_args.contains(name) {
                continue;
            }
            let hint = match nearest(name, self.scope.values.iter().map(|(known, _)| known.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => match &self.scope.unknown_base {
                    Some(image) => format!("declare it with `ARG {name}`, unless the image `{image}` sets it"),
                    None => format!("declare it with `ARG {name}`"),
                },
            };
            self.found.add("UndefinedVar", self.span, format!("the variable `{name}` is not set"), hint);
        }
        undefined.is_empty()
    }

    fn copy(&mut self, keyword: &str, copy: &Copy) {
        for raw in copy.chown.iter().chain(&copy.chmod).chain(&copy.checksum).chain([&copy.target]) {
            self.word(raw);
        }
        for heredoc in copy.heredocs.iter().filter(|heredoc| heredoc.expand) {
            let expanded = self.expander.heredoc(&heredoc.content, &|name: &str| self.scope.value(name));
            if let Ok(expanded) = expanded {
                self.report(&expanded.undefined);
            }
        }
        for raw in &copy.sources {
            let Some(path) = self.word(raw) else { continue };
            // With exceptions in it an ignored folder may have files that are there.
            let ignore = self.input.ignore.filter(|ignore| !ignore.has_exceptions() && copy.from.is_none());
            let path = path.trim_start_matches(['/', '.']).trim_end_matches('/');
            if let Some(ignore) = ignore
                && !path.contains("://")
                && ignore.is_ignored(path.as_bytes())
            {
                let message = format!("{keyword} cannot find `{path}`: the ignore file leaves it out");
                let hint = format!("add `!{path}` to the ignore file");
                self.found.add("CopyIgnoredFile", self.span, message, hint);
            }
        }
    }

    fn expose(&mut self, raw: &str) {
        let Ok((ports, undefined)) = self.expander.words(raw, &|name: &str| self.scope.value(name)) else { return };
        self.report(&undefined);
        for port in ports {
            let (host, own) = expose::split(&port);
            if let Some((_, protocol)) = own.split_once('/')
                && protocol != protocol.to_lowercase()
            {
                let message = format!("the protocol of `{port}` is not in lower case");
                self.found.add("ExposeProtoCasing", self.span, message, format!("write `{}`", port.to_lowercase()));
            }
            if host.is_some_and(|(address, port)| !address.is_empty() || !port.is_empty()) {
                let message = format!("`{port}` names an address or a port of the host, which an image cannot publish");
                self.found.add("ExposeInvalidFormat", self.span, message, format!("write `{own}`"));
            }
        }
    }
}
