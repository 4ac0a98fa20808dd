//! `WWW-Authenticate` (RFC 9110 §11.6.1): what a registry wants to see.

/// One challenge of a 401 answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    /// Get a token at `realm` (distribution spec, "Token Authentication").
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

/// The challenges that we can answer, in the order sent. A header may hold several, separated by
/// the same commas that separate the parameters of one.
pub(super) fn parse<'a>(headers: impl IntoIterator<Item = &'a str>) -> Vec<Challenge> {
    headers.into_iter().flat_map(|header| Parser { rest: header }.challenges()).collect()
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn challenges(mut self) -> Vec<Challenge> {
        let mut found: Vec<(&str, Vec<(String, String)>)> = Vec::new();
        loop {
            self.skip(|c| c == ',' || c.is_ascii_whitespace());
            let name = self.token();
            if name.is_empty() {
                break;
            }
            self.skip(|c| c == ' ' || c == '\t');
            if let Some(rest) = self.rest.strip_prefix('=') {
                self.rest = rest;
                self.skip(|c| c == ' ' || c == '\t');
                let value = self.value();
                if let Some((_, parameters)) = found.last_mut() {
                    parameters.push((name.to_ascii_lowercase(), value));
                }
            } else {
                found.push((name, Vec::new()));
            }
        }
        found.into_iter().filter_map(|(scheme, parameters)| challenge(scheme, parameters)).collect()
    }

    fn skip(&mut self, what: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(what);
    }

    fn token(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | '=' | '"'));
        let (token, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        token
    }

    fn value(&mut self) -> String {
        let Some(quoted) = self.rest.strip_prefix('"') else { return self.token().to_owned() };
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &quoted[i + 1..];
                    return value;
                }
                '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
                c => value.push(c),
            }
        }
        self.rest = "";
        value
    }
}

fn challenge(scheme: &str, parameters: Vec<(String, String)>) -> Option<Challenge> {
    let get = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    if scheme.eq_ignore_ascii_case("basic") {
        Some(Challenge::Basic)
    } else if scheme.eq_ignore_ascii_case("bearer") {
        Some(Challenge::Bearer { realm: get("realm")?, service: get("service"), scope: get("scope") })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer { realm: realm.into(), service: service.map(str::to_owned), scope: scope.map(str::to_owned) }
    }

    #[test]
    fn headers_as_registries_send_them() {
        let cases: &[(&str, Vec<Challenge>)] = &[
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/node:pull,push""#,
                vec![bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:library/node:pull,push"),
                )],
            ),
            (r#"Basic realm="Registry Realm""#, vec![Challenge::Basic]),
            ("basic", vec![Challenge::Basic]),
            (
                r#"Negotiate, Basic realm="a, b", BEARER realm = "https://t/x", error="invalid_token""#,
                vec![Challenge::Basic, bearer("https://t/x", None, None)],
            ),
            (r#"Bearer realm="a\"b",scope=plain"#, vec![bearer("a\"b", None, Some("plain"))]),
            (r#"Bearer service="no realm""#, vec![]),
            (r#"Bearer realm="never closed"#, vec![bearer("never closed", None, None)]),
            ("", vec![]),
            ("===\"\"\",,,", vec![]),
        ];
        for (header, expected) in cases {
            assert_eq!(&parse([*header]), expected, "{header}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_parsed_without_a_panic(header in "[ -~é]{0,60}") {
            parse([header.as_str()]);
        }

        #[test]
        fn a_quoted_value_comes_back_as_it_was(realm in "[ -~é]{1,40}") {
            let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Bearer realm=\"{quoted}\",scope=x");
            proptest::prop_assert_eq!(parse([header.as_str()]), vec![bearer(&realm, None, Some("x"))]);
        }
    }
}
