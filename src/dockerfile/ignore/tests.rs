use super::*;

fn ignored(patterns: &[&str], path: &str) -> bool {
    let ignore = Ignore::of(patterns).unwrap();
    // A walk gives the same answer.
    let mut state = ignore.root();
    let mut leaf = false;
    for (at, _) in path.match_indices('/').filter(|(at, _)| *at > 0).chain([(path.len(), "")]) {
        leaf = ignore.leaf_is_ignored(&state, &path.as_bytes()[..at]);
        state = ignore.child(&state, &path.as_bytes()[..at]);
    }
    let whole = ignore.is_ignored(path.as_bytes());
    assert_eq!((state.ignored, leaf), (whole, whole), "{patterns:?} {path}");
    whole
}

#[test]
fn a_pattern_matches_as_in_docker() {
    for (pattern, path, expected) in [
        ("**", "file", true),
        ("**", "file/", true),
        ("**/", "file", true),
        ("**/", "/", true),
        ("**", "dir/file", true),
        ("**/", "dir/file/", true),
        ("**/**", "dir/file", true),
        ("dir/**", "dir/file", true),
        ("dir/**", "dir/dir2/file/", true),
        ("dir/**", "dir", false),
        ("**/dir", "dir", true),
        ("**/dir", "dir/file", true),
        ("**/dir2/*", "dir/dir2/file", true),
        ("**/dir2/*", "dir/dir2/file/", true),
        ("**/dir2/**", "dir/dir2/dir3/file", true),
        ("**file", "file", true),
        ("**file", "dir/dir/file", true),
        ("**/file", "dir/dir/file", true),
        ("**/file*", "dir/dir/file", true),
        ("**/file*", "dir/dir/file.txt", true),
        ("**/file*txt", "dir/dir/file.txt", true),
        ("**/file*.txt*", "dir/dir/file.txt", true),
        ("**/**/*.txt", "dir/dir/file.txt", true),
        ("**/**/*.txt2", "dir/dir/file.txt", false),
        ("**/*.txt", "file.txt", true),
        ("**/**/*.txt", "file.txt", true),
        ("a**/*.txt", "a/file.txt", true),
        ("a**/*.txt", "a/dir/dir/file.txt", true),
        ("a/*.txt", "a/file.txt", true),
        ("a/*.txt", "a/dir/file.txt", false),
        ("a/*.txt**", "a/file.txt", true),
        ("a[b-d]e", "ae", false),
        ("a[b-d]e", "ace", true),
        ("a[^b-d]e", "aze", true),
        (".*", ".foo", true),
        (".*", "foo", false),
        ("abc.def", "abcdef", false),
        ("abc.def", "abcZdef", false),
        ("abc?def", "abcZdef", true),
        ("abc?def", "abcdef", false),
        ("a\\\\", "a\\", true),
        ("a\\*b", "a*b", true),
        ("**/foo/bar", "dir/dir2/foo/bar", true),
        ("abc/**", "abc/def/ghi", true),
        ("**/.foo", ".foo", true),
        ("**/.foo", "bar.foo", false),
        ("a(b)c/def", "a(b)c/def", true),
        ("a.|)$(}+{bc", "a.|)$(}+{bc", true),
        ("/a/b", "a/b", true),
        ("./a/../b/", "b/c", true),
        ("..", "a", false),
        (".", "a", false),
        ("a", "ab", false),
    ] {
        assert_eq!(ignored(&[pattern], path), expected, "{pattern} {path}");
    }
    for pattern in ["[", "a[", "[]a]", "a\\", "!", "! "] {
        assert!(Ignore::of([pattern]).unwrap_err().is(crate::error::ErrorKind::Invalid), "{pattern}");
    }
}

#[test]
fn the_last_pattern_that_matches_decides() {
    for (patterns, path, expected) in [
        (&["**", "!util/docker/web"][..], "util/docker/web/foo", false),
        (&["**", "!util/docker/web", "util/docker/web/foo"], "util/docker/web/foo", true),
        (
            &["**", "!dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl"],
            { "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl" },
            false,
        ),
        (&["*.md", "!README*.md", "README-secret.md"], "README-secret.md", true),
        (&["*.md", "README-secret.md", "!README*.md"], "README-secret.md", false),
        (&["!a", "a"], "a", true),
        (&["a", "!a/b", "a*"], "a/b", true),
        (&["a/b", "!a"], "a/b/c", false),
    ] {
        assert_eq!(ignored(patterns, path), expected, "{patterns:?} {path}");
    }
}

#[test]
fn a_file_has_comments_and_a_mark() {
    let ignore = Ignore::parse(b"\xef\xbb\xbf# no\r\n\n  \t\r\na \r\n # b\n  !  /c/  \n/d\n").unwrap();
    let expected = Ignore::of(["a", "# b", "!c", "d"]).unwrap();
    assert_eq!(ignore, expected);
    assert!(ignore.has_exceptions() && !ignore.is_empty() && Ignore::parse(b"#").unwrap().is_empty());
    assert_eq!(Ignore::parse(b"a\n[").unwrap_err().message(), "line 2: `[` is no pattern");
    assert!(Ignore::of([b"a\xff*"]).unwrap().is_ignored(b"a\xff\xfe"));
}

#[test]
fn only_folders_that_may_hold_exceptions_are_entered() {
    for (patterns, folder, expected) in [
        (&["*"][..], "a", false),
        (&["*", "!a/b"], "a", true),
        (&["*", "!a/b"], "a/b", false),
        (&["*", "!a/b"], "b", false),
        (&["*", "!a/*/c"], "a/x", true),
        (&["*", "!a/*/c"], "a/x/y", false),
        (&["*", "!**/*.rs"], "a/x/y", true),
        (&["*", "!a/**"], "a/x/y", true),
        (&["*", "!a/**/z"], "a/x/y", true),
        (&["*", "!a/**/z"], "b", false),
    ] {
        assert_eq!(
            Ignore::of(patterns).unwrap().may_hold_exceptions(folder.as_bytes()),
            expected,
            "{patterns:?} {folder}"
        );
    }
}
