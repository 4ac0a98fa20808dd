//! Environment variables as text: `K=V`, `K` for the host's value, and files of such lines.

use crate::error::{Error, Result};

/// Finds a variable of the host.
pub type HostValue<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable and its value. `K` alone takes the host's value, and is `None` when the host has none.
pub fn parse(text: &str, host: HostValue<'_>) -> Result<Option<(String, String)>> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, host(text)),
    };
    if name.is_empty() {
        return Err(Error::invalid(format!("the variable `{text}` has no name")).hint("write it as `NAME=value`"));
    }
    if text.contains('\0') {
        return Err(Error::invalid(format!("the variable `{name}` contains a zero byte")));
    }
    Ok(value.map(|value| (name.to_owned(), value)))
}

/// The variables of an environment file as `docker run --env-file` reads it: one a line, `#` at its
/// start makes a comment, values are taken as they are, quotes included. `path` is for messages.
pub fn parse_file(path: &str, content: &[u8], host: HostValue<'_>) -> Result<Vec<(String, String)>> {
    let at = |line: usize| format!("{path}:{line}");
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let mut variables = Vec::new();
    for (index, line) in content.split(|b| *b == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = str::from_utf8(line)
            .map_err(|_| Error::invalid("the line is not UTF-8").context(at(index + 1)))?
            .trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split('=').next().unwrap_or(line);
        if name.contains(char::is_whitespace) {
            return Err(Error::invalid(format!("the variable name `{name}` contains white space"))
                .context(at(index + 1))
                .hint("write each line as `NAME=value`"));
        }
        variables.extend(parse(line, host).map_err(|error| error.context(at(index + 1)))?);
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/me".to_owned())
    }

    #[test]
    fn a_name_alone_takes_the_hosts_value() {
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        for (text, expected) in [
            ("a=b", pair("a", "b")),
            ("_=a", pair("_", "a")),
            ("a=", pair("a", "")),
            ("a=b=c", pair("a", "b=c")),
            ("env 4=value 4", pair("env 4", "value 4")),
            ("HOME", pair("HOME", "/home/me")),
            ("UNSET", None),
        ] {
            assert_eq!(parse(text, &host).ok(), Some(expected), "{text}");
        }
        for text in ["", "=", "=a", "a=b\0c"] {
            assert!(parse(text, &host).is_err(), "{text:?}");
        }
    }

    #[test]
    fn files_hold_one_variable_a_line() {
        let file = b"\xef\xbb\xbf# comment\r\nA=1\r\n\n  B='x y' \nHOME\nUNSET\nC=";
        let expected = [("A", "1"), ("B", "'x y' "), ("HOME", "/home/me"), ("C", "")];
        assert_eq!(
            parse_file("x.env", file, &host).ok(),
            Some(expected.map(|(name, value)| (name.into(), value.into())).to_vec())
        );
    }

    #[test]
    fn a_bad_line_is_named() {
        for (file, at) in [(&b"A=1\nB B=2"[..], "x.env:2"), (b"=1", "x.env:1"), (b"\n\nA=\xff", "x.env:3")] {
            let message = parse_file("x.env", file, &host).expect_err("a bad line").message();
            assert!(message.starts_with(at), "{message}");
        }
    }
}
