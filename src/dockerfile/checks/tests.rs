use super::*;
use crate::dockerfile::parse;

fn warnings(text: &str, input: &CheckInput<'_>) -> Vec<(&'static str, usize)> {
    let file = parse(text, "Dockerfile").unwrap_or_else(|error| panic!("{text}: {error}"));
    check(&file, input).into_iter().map(|warning| (warning.rule, warning.span.first)).collect()
}

#[test]
fn each_rule_finds_its_case_and_nothing_else() {
    let base = |names: &str| (names == "known").then(|| vec!["HOME_DIR".to_owned()]);
    let args = ["GIVEN".to_owned()];
    let ignore = Ignore::of(["secret", "*.log"]).unwrap();
    let input = CheckInput { build_args: &args, ignore: Some(&ignore), base_env: Some(&base) };
    for (text, expected) in [
        ("FROM x AS Foo", &[("StageNameCasing", 1)][..]),
        ("FROM x AS foo", &[]),
        ("FROM x as foo", &[("FromAsCasing", 1)]),
        ("from x as foo", &[]),
        ("from x AS foo", &[("FromAsCasing", 1)]),
        ("FROM x\nRUN a \\\n\n  b", &[("NoEmptyContinuation", 2)]),
        ("FROM x\nRUN a \\\n# c\n  b", &[]),
        ("FROM x\nrun a\nRUN b\nRun c", &[("ConsistentInstructionCasing", 2), ("ConsistentInstructionCasing", 4)]),
        ("from x\nrun a\nRUN b", &[("ConsistentInstructionCasing", 3)]),
        ("from x\nRUN a", &[("ConsistentInstructionCasing", 1)]),
        ("FROM x AS a\nFROM y AS a", &[("DuplicateStageName", 2)]),
        ("FROM x AS scratch", &[("ReservedStageName", 1)]),
        ("FROM x AS context", &[("ReservedStageName", 1)]),
        ("FROM x\nCMD a b", &[("JSONArgsRecommended", 2)]),
        ("FROM x\nENTRYPOINT a b", &[("JSONArgsRecommended", 2)]),
        ("FROM x\nSHELL [\"/bin/bash\", \"-c\"]\nCMD a b", &[]),
        ("FROM x\nCMD [\"a\"]\nRUN a", &[]),
        ("FROM x\nMAINTAINER me", &[("MaintainerDeprecated", 2)]),
        ("FROM x:$TAG", &[("InvalidDefaultArgInFrom", 1), ("UndefinedArgInFrom", 1)]),
        ("ARG TAG=1\nFROM x:$TAG", &[]),
        ("ARG TAG\nFROM x:$TAG", &[("InvalidDefaultArgInFrom", 2)]),
        ("ARG TAG\nFROM x:${TAG:-1}", &[]),
        ("ARG A=1 B=$A\nFROM x:$B", &[]),
        ("FROM --platform=$BUILDPLATFORM x", &[]),
        ("FROM --platform=$BUILDPLATFROM x", &[("UndefinedArgInFrom", 1)]),
        ("FROM --platform=$TARGETPLATFORM x", &[("RedundantTargetPlatform", 1)]),
        ("FROM --platform=${TARGETPLATFORM} x", &[("RedundantTargetPlatform", 1)]),
        ("FROM --platform=linux/$TARGETARCH x", &[]),
        ("FROM --platform=linux/amd64 x", &[("FromPlatformFlagConstDisallowed", 1)]),
        ("FROM --platform=linux/amd64 x AS build-amd64", &[]),
        ("FROM x\nWORKDIR a", &[("WorkdirRelativePath", 2)]),
        ("FROM x\nWORKDIR /a\nWORKDIR b", &[]),
        ("FROM x AS a\nWORKDIR /a\nFROM a\nWORKDIR b", &[]),
        ("FROM known\nWORKDIR $HOME_DIR/a", &[]),
        ("FROM scratch\nCOPY $foo /", &[("UndefinedVar", 2)]),
        ("FROM known\nENV A=$HOME_DIR/$PATH B=$HOME_DRI", &[("UndefinedVar", 2)]),
        ("FROM scratch\nENV A=1 B=$A", &[("UndefinedVar", 2)]),
        ("FROM scratch\nENV A=1\nENV B=$A", &[]),
        ("FROM scratch\nARG A\nLABEL a=$A b=$GIVEN", &[]),
        ("FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /", &[]),
        ("FROM scratch AS a\nARG A=1\nENV B=1\nFROM a\nLABEL b=$B a=$A", &[]),
        ("FROM scratch\nRUN echo $a", &[]),
        ("FROM scratch\nRUN --mount=type=cache,target=$a x", &[("UndefinedVar", 2)]),
        ("FROM scratch\nCOPY <<EOF <<'EOF2' /\n$a\nEOF\n$b\nEOF2", &[("UndefinedVar", 2)]),
        ("FROM x\nCMD [\"a\"]\nCMD [\"b\"]", &[("MultipleInstructionsDisallowed", 2)]),
        ("FROM x\nCMD [\"a\"]\nFROM y\nCMD [\"b\"]", &[]),
        ("FROM x\nHEALTHCHECK NONE\nHEALTHCHECK CMD a\nENTRYPOINT [\"a\"]", &[("MultipleInstructionsDisallowed", 2)]),
        ("FROM x\nENV a b c", &[("LegacyKeyValueFormat", 2)]),
        ("FROM x\nLABEL a b", &[("LegacyKeyValueFormat", 2)]),
        ("FROM x\nARG API_TOKEN\nENV aws_secret_key=1", &[("SecretsUsedInArgOrEnv", 2), ("SecretsUsedInArgOrEnv", 3)]),
        ("FROM x\nENV PUBLIC_KEY=1 PASSWORD_FILE=/x KEYBOARD=de MONKEY=1", &[]),
        ("FROM x\nCOPY secret/a a /x/\nADD b.log /", &[("CopyIgnoredFile", 2), ("CopyIgnoredFile", 3)]),
        ("FROM x\nCOPY --from=y secret /x/", &[]),
        ("FROM x\nEXPOSE 80/TCP", &[("ExposeProtoCasing", 2)]),
        ("FROM x\nEXPOSE 127.0.0.1:80:80 8080:80", &[("ExposeInvalidFormat", 2), ("ExposeInvalidFormat", 2)]),
        ("FROM x\nEXPOSE 80 53/udp 8000-8010", &[]),
        ("# other\nFROM x AS a", &[]),
        ("# check=experimental=all\n# other\nFROM x AS a\n# A is\nARG A", &[("InvalidDefinitionDescription", 3)]),
        ("# check=experimental=all\n# a is\nFROM x AS a\n# other\n\nARG A", &[]),
    ] {
        assert_eq!(warnings(text, &input), expected, "{text}");
    }
}

#[test]
fn a_directive_skips_rules() {
    let text = "FROM x AS Foo\nWORKDIR a";
    let none = CheckInput::default();
    assert_eq!(warnings(text, &none).len(), 2);
    assert_eq!(warnings(&format!("# check=skip=StageNameCasing\n{text}"), &none), [("WorkdirRelativePath", 3)]);
    assert_eq!(warnings(&format!("# check=skip=all\n{text}"), &none), []);
}

#[test]
fn a_warning_says_what_to_do() {
    for (text, message, hint) in [
        ("FROM scratch\nENV FOO=1\nENV B=$FOOO", "the variable `FOOO` is not set", "did you mean `FOO`?"),
        ("FROM x\nENV B=$NODE_VERSION", "the variable `NODE_VERSION` is not set", {
            "declare it with `ARG NODE_VERSION`, unless the image `x` sets it"
        }),
        ("FROM x\nCMD node app.js", "a shell is between CMD and its program, which gets no signals", {
            "write `CMD [\"node\", \"app.js\"]`"
        }),
    ] {
        let found = check(&parse(text, "Dockerfile").unwrap(), &CheckInput::default());
        let [warning] = &found[..] else { panic!("{text}: {found:?}") };
        assert_eq!((warning.message.as_str(), warning.hint.as_deref()), (message, Some(hint)), "{text}");
    }
}
