use super::*;

fn env(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
    move |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

const FOO: &[(&str, &str)] = &[("FOO", "xxx"), ("BAR", "")];

#[test]
fn variables_are_replaced() {
    for (pairs, raw, expected) in [
        (FOO, "x", "x"),
        (FOO, "x ${FOO}", "x xxx"),
        (FOO, "$FOO$BAZ-${FOO}x", "xxx-xxxx"),
        (FOO, "${FOO-aaa} ${BAR-bbb} ${BAZ-ccc}", "xxx  ccc"),
        (FOO, "${FOO:-aaa} ${BAR:-bbb} ${BAZ:-ccc}", "xxx bbb ccc"),
        (FOO, "${FOO:-}", "xxx"),
        (FOO, "${BAZ:-}", ""),
        (FOO, "${FOO+aaa} ${BAR+bbb} ${BAZ+ccc}", "aaa bbb "),
        (FOO, "${FOO:+aaa} ${BAR:+bbb} ${BAZ:+ccc}", "aaa  "),
        (FOO, "${BAR?bbb}", ""),
        (FOO, "${FOO:?aaa}", "xxx"),
        (FOO, "${BAZ:-${FOO}-${BAR:-y}}", "xxx-y"),
        (FOO, "${BAZ:-'a}'}", "a}"),
        (FOO, "$1 ${1} $@", "  "),
        (FOO, "$ $. $", "$ $. $"),
        (FOO, "$FOO_x ${FOO}_x", " xxx_x"),
        (&[("FOO", "()[]{}^$.*?|\\x")], r"${FOO#()[]{\}^$.\*\?|\\}", "x"),
        (&[("FOO", "xx**")], r"${FOO%%\**}", "xx"),
        (&[("FOO", "xxyy")], "${FOO#*}", "xxyy"),
        (&[("FOO", "xxyy")], "${FOO##*}", ""),
        (&[("FOO", "xxyy"), ("BAR", "x")], "${FOO#$BAR}", "xyy"),
        (&[("FOO", "xxyy"), ("BAR", "")], "${FOO#$BAR}", "xxyy"),
        (&[("FOO", "xxyy")], "${FOO#}", "xxyy"),
        (&[("FOO", "xxyy")], "${FOO##x} ${FOO##x*} ${FOO#?y}", "xyy  xxyy"),
        (&[("FOO", "xxyy")], "${FOO%}", "xxyy"),
        (&[("FOO", "xxyy")], "${FOO%y*} ${FOO%%y*} ${FOO%x?y} ${FOO%%?}", "xxy xx x xxy"),
        (&[("V", "1.2.3-rc1"), ("P", "/a/b.tar.gz")], "${V%%.*} ${V%.*} ${V#*.} ${V%-*} ${P##*/} ${P%.gz}", {
            "1 1.2 2.3-rc1 1.2.3 b.tar.gz /a/b.tar"
        }),
        (&[("FOO", "/foo*/*/*.txt"), ("NEEDLE", "\\*/")], "${FOO/$NEEDLE/.} - ${FOO//$NEEDLE/.}", {
            "/foo.*/*.txt - /foo..*.txt"
        }),
        (&[("FOO", "/tmp/tmp/bar.txt"), ("NEEDLE", "/tmp")], "${FOO/$NEEDLE/} - ${FOO//$NEEDLE/}", {
            "/tmp/bar.txt - /bar.txt"
        }),
        (&[("FOO", "/a/foo/b/c.txt"), ("NEEDLE", "/?/"), ("R", "/")], "${FOO/$NEEDLE/$R} - ${FOO//$NEEDLE/$R}", {
            "/foo/b/c.txt - /foo/c.txt"
        }),
        (&[("FOO", "http://google.de"), ("NEEDLE", "http://"), ("R", "https://")], "${FOO/$NEEDLE/$R}", {
            "https://google.de"
        }),
        (&[("FOO", "/tmp/foo.txt")], r"${FOO//\//\/}", r"\/tmp\/foo.txt"),
        (&[("FOO", "xxyy"), ("BAR", "")], "${FOO/$BAR/ww}", "wwxxyy"),
        (&[("FOO", "xxyy")], "${FOO///}", "xxyy"),
        (&[("FOO", "xxyy")], "${FOO//y*/z} ${FOO//x/zz} ${FOO//*/z}", "xxz zzzzyy z"),
    ] {
        assert_eq!(Expander::new('\\').word(raw, &env(pairs)).unwrap().text, expected, "{raw}");
    }
}

#[test]
fn quotes_go_and_keep_what_is_in_them() {
    for (raw, text, words) in [
        ("'a b' \"c d\" e\\ f", "a b c d e f", &["a b", "c d", "e f"][..]),
        ("'$FOO' \"$FOO\" \\$FOO", "$FOO xxx $FOO", &["$FOO", "xxx", "$FOO"]),
        (r#""a\"b" "a\b" "a\\b" '\'"#, r#"a"b a\b a\b \"#, &["a\"b", "a\\b", "a\\b", "\\"]),
        ("a\"b\"'c'd", "abcd", &["abcd"]),
        (r#""\$FOO $FOO""#, "$FOO xxx", &["$FOO xxx"]),
        ("a\\", "a", &["a"]),
        ("  a  b ", "  a  b ", &["a", "b"]),
        ("$TWO '$TWO' \"$TWO\"", "1 2 $TWO 1 2", &["1", "2", "$TWO", "1 2"]),
        ("''", "", &[]),
        ("한국어 $FOO한", "한국어 ", &["한국어"]),
        ("\\\"a b\\\"", "\"a b\"", &["\"a", "b\""]),
    ] {
        let env = env(&[("FOO", "xxx"), ("TWO", "1 2")]);
        assert_eq!(Expander::new('\\').word(raw, &env).unwrap().text, text, "{raw}");
        assert_eq!(Expander::new('\\').words(raw, &env).unwrap().0, words, "{raw}");
    }
    let backtick = Expander::new('`').word("C:\\a` \"`\"\" `$FOO", &env(FOO)).unwrap();
    assert_eq!(backtick.text, "C:\\a \" $FOO");
}

#[test]
fn heredocs_keep_their_quotes() {
    let expanded = Expander::new('`').heredoc("\"$FOO\" '$FOO' \\$FOO `x` ${NO:-d}\n", &env(FOO)).unwrap();
    assert_eq!(expanded.text, "\"xxx\" 'xxx' $FOO `x` d\n");
}

#[test]
fn names_are_told_apart_by_whether_they_have_a_value() {
    let expanded = Expander::new('\\').word("$FOO ${BAR} ${A:-x} $B $A '$C'", &env(FOO)).unwrap();
    assert_eq!(
        (expanded.defined, expanded.undefined),
        (vec!["FOO".into(), "BAR".into()], vec!["A".into(), "B".into()])
    );
}

#[test]
fn wrong_words_are_refused() {
    for raw in [
        "${FOO",
        "${FOO:",
        "${FOO:-a",
        "${}",
        "${:}",
        "${:-x}",
        "${{FOO}",
        "${FOO=aaa}",
        "${NO=}",
        "${BAR:?bbb}",
        "${NO:?ccc}",
        "${NO:?}",
        "${NO?}",
        "${FOO:%}",
        "${NO:%%}",
        "${FOO//ww}",
        "${FOO/a",
        "${FOO/a/b",
        "${FOO#\\x}",
        "${FOO!}",
        "'a",
        "\"a",
        "\"${FOO\"",
        "${",
    ] {
        assert!(Expander::new('\\').word(raw, &env(FOO)).is_err(), "{raw}");
    }
    let error = Expander::new('\\').word("${NO:?give it by --build-arg}", &env(FOO)).unwrap_err();
    assert!(error.message().ends_with("NO: give it by --build-arg"), "{error}");
}

#[test]
fn hostile_words_end() {
    let expander = Expander::new('\\');
    let deep = format!("{}{}", "${A:-".repeat(10_000), "}".repeat(10_000));
    assert!(expander.word(&deep, &|_| None).is_err());
    let long = "x".repeat(60_000);
    let env = |name: &str| (name == "X").then(|| long.clone());
    assert!(expander.word(&"$X".repeat(100), &env).is_err());
    assert!(expander.word(&format!("${{X//x/{long}}}"), &env).is_err());
    assert!(expander.word("${X//*x*x*x*y/a}", &env).is_err());
}
