use super::*;
use crate::dockerfile::{Copy, Form, Heredoc, LARGEST, Run};
use crate::error::ErrorKind;
use crate::model::HealthcheckSpec;
use std::time::Duration;

/// The instructions of a stage.
fn kinds(text: &str) -> Vec<Kind> {
    let file = parse(&format!("FROM x\n{text}"), "Dockerfile").unwrap_or_else(|error| panic!("{text}: {error}"));
    file.stages[0].instructions.iter().map(|instruction| instruction.kind.clone()).collect()
}

fn kind(text: &str) -> Kind {
    let [kind] = &kinds(text)[..] else { panic!("{text}") };
    kind.clone()
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn run(command: Form) -> Run {
    Run { command, heredocs: vec![], mounts: vec![], network: None, security: None, devices: vec![] }
}

fn shell(line: &str) -> Kind {
    Kind::Run(run(Form::Shell(line.to_owned())))
}

#[test]
fn instructions_are_read() {
    for (text, expected) in [
        ("RUN a  'b'  ", shell("a  'b'")),
        ("run a", shell("a")),
        ("  RUN\ta", shell("a")),
        ("RUN [\"a\", \"b c\"]", Kind::Run(run(Form::Exec(strings(&["a", "b c"]))))),
        ("RUN [ 'a' ]", shell("[ 'a' ]")),
        ("RUN [\"a\"] b", shell("[\"a\"] b")),
        ("CMD []", Kind::Cmd(Form::Exec(vec![]))),
        ("ENTRYPOINT a $B", Kind::Entrypoint(Form::Shell("a $B".into()))),
        ("SHELL [\"/bin/bash\", \"-c\"]", Kind::Shell(strings(&["/bin/bash", "-c"]))),
        ("ENV A=1 B=\"2 3\" C=x\\ y D='$E' F=", {
            Kind::Env(pairs(&[("A", "1"), ("B", "\"2 3\""), ("C", "x\\ y"), ("D", "'$E'"), ("F", "")]))
        }),
        ("ENV A  the 'rest'  of = it", Kind::Env(pairs(&[("A", "the 'rest'  of = it")]))),
        ("LABEL \"a b\"=\"c\" d=e", Kind::Label(pairs(&[("\"a b\"", "\"c\""), ("d", "e")]))),
        ("ARG A B=1 C=\"x y\"", {
            Kind::Arg(vec![("A".into(), None), ("B".into(), Some("1".into())), ("C".into(), Some("\"x y\"".into()))])
        }),
        ("EXPOSE 80   53/udp $P", Kind::Expose(strings(&["80", "53/udp", "$P"]))),
        ("VOLUME /a /b", Kind::Volume(strings(&["/a", "/b"]))),
        ("VOLUME [\"/a b\"]", Kind::Volume(strings(&["/a b"]))),
        ("USER a:b", Kind::User("a:b".into())),
        ("WORKDIR /a b", Kind::Workdir("/a b".into())),
        ("STOPSIGNAL $S", Kind::StopSignal("$S".into())),
        ("MAINTAINER A B <c>", Kind::Maintainer("A B <c>".into())),
        ("ONBUILD  RUN a && \\\n b", Kind::OnBuild("RUN a &&  b".into())),
        ("ONBUILD COPY <<EOF /\nx\nEOF", Kind::OnBuild("COPY <<EOF /\nx\nEOF".into())),
        ("HEALTHCHECK NONE", {
            Kind::Healthcheck(HealthcheckSpec { test: strings(&["NONE"]), ..HealthcheckSpec::default() })
        }),
        ("HEALTHCHECK --interval=5s --timeout=1m --start-period=0 --retries=3 CMD a  b", {
            Kind::Healthcheck(HealthcheckSpec {
                test: strings(&["CMD-SHELL", "a  b"]),
                interval: Some(Duration::from_secs(5)),
                timeout: Some(Duration::from_secs(60)),
                retries: Some(3),
                ..HealthcheckSpec::default()
            })
        }),
        ("HEALTHCHECK cmd [\"a\"]", {
            Kind::Healthcheck(HealthcheckSpec { test: strings(&["CMD", "a"]), ..HealthcheckSpec::default() })
        }),
        ("COPY --from=a --chown=b:c --chmod=u+x --link --parents --exclude=*.a --exclude=b x y z/", {
            Kind::Copy(Copy {
                sources: strings(&["x", "y"]),
                target: "z/".into(),
                from: Some("a".into()),
                chown: Some("b:c".into()),
                chmod: Some("u+x".into()),
                link: true,
                parents: true,
                exclude: strings(&["*.a", "b"]),
                ..Copy::default()
            })
        }),
        ("ADD --checksum=sha256:1 --keep-git-dir=true --unpack=false [\"a b\", \"/\"]", {
            Kind::Add(Copy {
                sources: strings(&["a b"]),
                target: "/".into(),
                checksum: Some("sha256:1".into()),
                keep_git_dir: true,
                unpack: Some(false),
                ..Copy::default()
            })
        }),
        ("RUN --mount=type=cache,target=/c --mount=target=$A --network=none --security=insecure --device=d a", {
            Kind::Run(Run {
                mounts: strings(&["type=cache,target=/c", "target=$A"]),
                network: Some("none".into()),
                security: Some("insecure".into()),
                devices: strings(&["d"]),
                ..run(Form::Shell("a".into()))
            })
        }),
    ] {
        assert_eq!(kind(text), expected, "{text}");
    }
}

#[test]
fn lines_continue() {
    for (text, expected) in [
        ("RUN a \\\n  b", "a   b"),
        ("RUN a \\  \t\r\n\r\n# no\n   # no\n b\r\n", "a  b"),
        ("RUN a\\\\\n# c", "a\\\\"),
        ("RUN a \\\n\\\nb", "a b"),
        ("RUN \\\n a", "a"),
        ("RUN a \\", "a"),
        ("\\\nRUN a", "a"),
        ("RUN a # b", "a # b"),
        ("RUN a \\\nb # \\\nc", "a b # c"),
    ] {
        assert_eq!(kind(text), shell(expected), "{text}");
    }
    let file = parse("\u{feff}# escape=`\r\nFROM x`\r\n  AS y\r\nRUN a\\\r\nRUN b `\r\n c", "Dockerfile").unwrap();
    assert_eq!((file.escape, file.stages[0].name.as_deref()), ('`', Some("y")));
    let shown: Vec<_> = file.stages[0].instructions.iter().map(|one| (one.source.as_str(), one.span)).collect();
    assert_eq!(shown, [("RUN a\\", Span { first: 4, last: 4 }), ("RUN b  c", Span { first: 5, last: 6 })]);
}

#[test]
fn heredocs_are_read() {
    let heredoc = |name: &str, content: &str| Heredoc {
        name: name.into(),
        content: content.into(),
        expand: true,
        ..Heredoc::default()
    };
    let of_run = |text: &str| match kind(text) {
        Kind::Run(run) => (run.command, run.heredocs),
        kind => panic!("{kind:?}"),
    };
    let line = |text: &str| Form::Shell(text.to_owned());
    assert_eq!(of_run("RUN <<EOF\na\n\n# b\n  c \\\nEOF"), (line("<<EOF"), vec![heredoc("EOF", "a\n\n# b\n  c \\\n")]));
    assert_eq!(
        of_run("RUN <<'EOF' sh\n$a\nEOF"),
        (line("<<'EOF' sh"), { vec![Heredoc { expand: false, ..heredoc("EOF", "$a\n") }] })
    );
    assert_eq!(
        of_run("RUN 3<<-A cat <<B\n\tx\n\tA\ny\r\nB\r\n"),
        (line("3<<-A cat <<B"), {
            vec![Heredoc { chomp: true, descriptor: 3, ..heredoc("A", "\tx\n") }, heredoc("B", "y\r\n")]
        })
    );
    assert_eq!(of_run("RUN <<X <<Y\nY\nX\nX\nY"), (line("<<X <<Y"), vec![heredoc("X", "Y\n"), heredoc("Y", "X\n")]));
    assert_eq!(of_run("RUN [\"<<EOF\"]"), (Form::Exec(strings(&["<<EOF"])), vec![]));
    assert_eq!(of_run("RUN echo \\\n <<EOF\nx\nEOF").1, [heredoc("EOF", "x\n")]);
    let Kind::Copy(copy) = kind("COPY --chmod=600 <<-a f <<\"b\" /t/\n\tx\n\ta\ny\nb") else { panic!() };
    assert_eq!((copy.sources, copy.target), (strings(&["f"]), "/t/".to_owned()));
    assert_eq!(copy.heredocs, {
        [Heredoc { chomp: true, ..heredoc("a", "x\n") }, Heredoc { expand: false, ..heredoc("b", "y\n") }]
    });
    let file = parse("FROM x\nRUN <<E\na\nE\nRUN b", "Dockerfile").unwrap();
    let spans: Vec<_> = file.stages[0].instructions.iter().map(|one| (one.span.first, one.span.last)).collect();
    assert_eq!(spans, [(2, 4), (5, 5)]);
    // No other instruction has them.
    assert_eq!(kinds("ENV A=<<EOF\nRUN b").len(), 2);
}

#[test]
fn a_file_has_stages() {
    let file =
        parse("# syntax=a/b:1\nARG V=1\nFROM --platform=$P x:$V as Base-1.0_x\nRUN a\nfrom base\n", "f").unwrap();
    assert_eq!((file.syntax.as_deref(), file.args.len(), file.stages.len()), (Some("a/b:1"), 1, 2));
    let [first, second] = &file.stages[..] else { panic!() };
    assert_eq!((first.name.as_deref(), first.span.first, first.instructions.len()), (Some("base-1.0_x"), 3, 1));
    assert_eq!((first.from.image.as_str(), first.from.platform.as_deref()), ("x:$V", Some("$P")));
    assert_eq!(first.source, "FROM --platform=$P x:$V as Base-1.0_x");
    assert_eq!((second.source.as_str(), second.written.from.as_str()), ("FROM base", "from"));
}

#[test]
fn wrong_files_are_refused_at_their_line() {
    for (text, place, message) in [
        ("", "Dockerfile", "the file has no instructions"),
        ("# a\n\n", "Dockerfile", "the file has no instructions"),
        ("ARG A", "Dockerfile", "the file has no stage"),
        ("RUN a\nFROM x", "Dockerfile:1", "RUN comes before the first stage"),
        ("FROM x\n\nRUN", "Dockerfile:3", "RUN needs a command"),
        ("FROM x\nRUN []", "Dockerfile:2", "RUN needs a command"),
        ("FROM x\nCMD", "Dockerfile:2", "CMD needs a command"),
        ("FROM x\nCMD [\"a\", 1]", "Dockerfile:2", "`1` is no string in a JSON array"),
        ("FROM", "Dockerfile:1", "FROM needs an image"),
        ("FROM a b", "Dockerfile:1", "FROM takes an image, or an image, `AS` and a name"),
        ("FROM a AS 1b", "Dockerfile:1", "`1b` cannot be the name of a stage"),
        ("FROM x\nFOO bar", "Dockerfile:2", "there is no instruction `FOO`"),
        ("FROM x\nCOPY\t\n\t\tquux \\\n      bar", "Dockerfile:2", "COPY needs a source and a target"),
        ("FROM x\nADD a", "Dockerfile:2", "ADD needs a source and a target"),
        ("FROM x\nCOPY a <<EOF\nEOF", "Dockerfile:2", "the target of COPY cannot be a heredoc"),
        ("FROM x\nCOPY --unpack a b", "Dockerfile:2", "COPY has no flag `--unpack`"),
        ("FROM x\nCOPY --from=a --from=b a b", "Dockerfile:2", "`--from` is given twice"),
        ("FROM x\nENV", "Dockerfile:2", "ENV needs a name and a value"),
        ("FROM x\nENV A", "Dockerfile:2", "ENV needs a value for `A`"),
        ("FROM x\nENV A=1 B", "Dockerfile:2", "ENV has `B`, which has no `=`"),
        ("FROM x\nLABEL =1", "Dockerfile:2", "LABEL has `=1`, which has no name"),
        ("FROM x\nARG", "Dockerfile:2", "ARG needs a name"),
        ("FROM x\nARG =1", "Dockerfile:2", "ARG has `=1`, which has no name"),
        ("FROM x\nEXPOSE", "Dockerfile:2", "EXPOSE needs a port"),
        ("FROM x\nVOLUME []", "Dockerfile:2", "VOLUME has an empty path"),
        ("FROM x\nWORKDIR", "Dockerfile:2", "WORKDIR needs a path"),
        ("FROM x\nSHELL a b", "Dockerfile:2", "SHELL needs a program and its options as JSON"),
        ("FROM x\nONBUILD FROM y", "Dockerfile:2", "FROM cannot come after ONBUILD"),
        ("FROM x\nONBUILD ONBUILD RUN y", "Dockerfile:2", "ONBUILD cannot come after ONBUILD"),
        ("FROM x\nONBUILD RNU y", "Dockerfile:2", "there is no instruction `RNU`"),
        ("FROM x\nHEALTHCHECK", "Dockerfile:2", "HEALTHCHECK needs a command"),
        ("FROM x\nHEALTHCHECK NONE a", "Dockerfile:2", "HEALTHCHECK NONE takes nothing more"),
        ("FROM x\nHEALTHCHECK a", "Dockerfile:2", "HEALTHCHECK takes CMD or NONE, not `a`"),
        ("FROM x\nHEALTHCHECK --retries=-1 CMD a", "Dockerfile:2", "`--retries=-1` is no number of failures"),
        ("FROM x\nHEALTHCHECK --interval=1us CMD a", "Dockerfile:2", "`--interval=1us` is shorter than a millisecond"),
        ("FROM x\nRUN <<EOF\na", "Dockerfile:2", "the heredoc `EOF` does not end"),
        ("FROM x\nRUN --network=bridge a", "Dockerfile:2", "`--network=bridge` is none of default, none, host"),
        ("FROM x\nRUN --mount=type=nope a", "Dockerfile:2", "`--mount=type=nope`: `type` cannot be `nope`"),
        ("# escape=x\nFROM x", "Dockerfile:1", "`x` cannot be the escape character"),
    ] {
        let error = parse(text, "Dockerfile").unwrap_err();
        assert_eq!(error.message(), format!("{place}: {message}"), "{text}");
        assert!(error.is(ErrorKind::Invalid), "{text}");
        assert_eq!(error.excerpt_text().is_some(), place != "Dockerfile", "{text}");
    }
    let error = parse("FROM x\nRNU a", "Dockerfile").unwrap_err();
    assert_eq!(error.hint_text(), Some("did you mean `RUN`?"));
    assert_eq!(error.excerpt_text(), Some("  2 | RNU a\n    | ^^^^^\n"));
    assert!(parse("// syntax=a/b\n", "f").unwrap_err().hint_text().unwrap().contains("`a/b`"));
}

#[test]
fn hostile_files_end() {
    assert!(parse(&"\n".repeat(LARGEST + 1), "f").is_err());
    assert!(parse(&format!("FROM x\nRUN {}", "a".repeat(70_000)), "f").is_err());
    assert!(parse(&format!("FROM x\n{}", "RUN a\n".repeat(20_000)), "f").is_err());
    assert!(parse(&format!("FROM x\nRUN {}\n", "<<A ".repeat(1000)), "f").is_err());
    let long = format!("FROM x\nRUN a{}", " \\\nb".repeat(200_000));
    assert!(parse(&long, "f").is_ok());
}

#[test]
fn a_trigger_is_one_instruction() {
    let copy = parse_trigger("COPY <<EOF /x\n$a\nEOF", '\\').unwrap();
    assert!(matches!(copy.kind, Kind::Copy(copy) if copy.heredocs[0].content == "$a\n"));
    for line in ["", "RUN a\nRUN b", "FROM x", "ONBUILD RUN a", "MAINTAINER a", "RUN"] {
        let error = parse_trigger(line, '\\').unwrap_err();
        assert!(error.is(ErrorKind::Invalid) && error.message().starts_with("the trigger `"), "{line}");
    }
}
