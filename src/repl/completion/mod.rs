//! Completion: names, methods and properties by the value's type at run time, option keys inside `f(#{`.

mod known;
mod options;
mod receiver;

pub use known::Known;

use crate::script::binding::{FunctionDoc, functions};
use crate::script::lex;
use rhai::{Engine, Token};

/// What can stand in place of the word before the cursor.
pub struct Completions {
    /// Where that word starts, in bytes.
    pub start: usize,
    /// In alphabetical order.
    pub candidates: Vec<Candidate>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// What is put in: `logs(`, `status`, `ports: `.
    pub text: String,
    /// How it is listed.
    pub shown: String,
}

/// Completes the word that `before`, the text up to the cursor, ends in.
pub fn complete(engine: &Engine, known: &Known, before: &str) -> Completions {
    let start = before
        .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
        .map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8));
    let (context, word) = before.split_at(start);
    let mut candidates = candidates(engine, known, context);
    candidates.retain(|candidate| candidate.text.starts_with(word));
    candidates.sort();
    candidates.dedup();
    Completions { start, candidates }
}

fn candidates(engine: &Engine, known: &Known, context: &str) -> Vec<Candidate> {
    if is_inside_text(engine, context) {
        return Vec::new();
    }
    let tokens: Vec<Token> = lex(engine, context).into_iter().map(|lexeme| lexeme.token).collect();
    match tokens.as_slice() {
        [.., Token::Comment(comment)] if is_open(comment, context) => Vec::new(),
        [before @ .., Token::Period | Token::Elvis] => match receiver::type_of(before, known) {
            Some(type_name) => members(&type_name, known),
            None => Vec::new(),
        },
        [.., Token::Identifier(module), Token::DoubleColon] => module_functions(module),
        tokens => options::keys(tokens, known).unwrap_or_else(|| names(known)),
    }
}

/// Whether the cursor, at the end of `context`, is still in its last comment.
fn is_open(comment: &str, context: &str) -> bool {
    if comment.starts_with("/*") { !comment.ends_with("*/") } else { !context.ends_with('\n') }
}

/// Whether the cursor is in a string: what is lexed ends with one that is not closed.
fn is_inside_text(engine: &Engine, context: &str) -> bool {
    let inputs = [context];
    let (tokens, _) = engine.lex(inputs.iter());
    tokens
        .map(|(token, _)| token)
        .take_while(|token| *token != Token::EOF)
        .any(|token| matches!(token, Token::LexError(_)))
}

fn members(type_name: &str, known: &Known) -> Vec<Candidate> {
    let of_type = |function: &&&FunctionDoc| {
        function.receiver.as_ref().is_some_and(|receiver| (receiver.type_name)() == type_name)
    };
    let bound = functions().iter().filter(of_type).map(|function| candidate(function));
    let standard = known.standard_methods(type_name).map(|name| method(name, false));
    bound.chain(standard).collect()
}

fn module_functions(module: &str) -> Vec<Candidate> {
    functions().iter().filter(|function| function.module == Some(module)).map(|function| candidate(function)).collect()
}

fn names(known: &Known) -> Vec<Candidate> {
    let global = functions().iter().filter(|function| function.receiver.is_none());
    let bound = global.map(|function| match function.module {
        Some(module) => Candidate { text: format!("{module}::"), shown: format!("{module}::") },
        None => candidate(function),
    });
    let variables = known.variables().map(|name| Candidate { text: name.to_owned(), shown: name.to_owned() });
    bound.chain(variables).chain(known.functions().map(|name| method(name, false))).collect()
}

fn candidate(function: &FunctionDoc) -> Candidate {
    if function.is_property() {
        return Candidate { text: function.name.to_owned(), shown: function.name.to_owned() };
    }
    method(function.name, function.parameters.is_empty())
}

fn method(name: &str, takes_nothing: bool) -> Candidate {
    let text = if takes_nothing { format!("{name}()") } else { format!("{name}(") };
    Candidate { text, shown: format!("{name}()") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::error::Error;
    use crate::repl::memory::{Evaluated, Memory};
    use crate::script::{Host, Settings};

    /// What is offered for a line, after some lines were run.
    fn offered(lines: &[&str], before: &str) -> Vec<String> {
        Host::on_large_stack(|| {
            let host = Host::new(settings(), false);
            let mut memory = Memory::new(&host);
            for line in lines {
                assert!(matches!(memory.evaluate(line), Evaluated::Value(_)), "{line}");
            }
            let known = Known::of(host.engine(), &memory);
            complete(host.engine(), &known, before).candidates.into_iter().map(|candidate| candidate.text).collect()
        })
        .unwrap()
    }

    fn settings() -> Settings {
        Settings {
            args: vec![],
            folder: "/".into(),
            open_engine: Box::new(|| Err(Error::unsupported("no engine in this test"))),
            print: Box::new(|_| Ok(())),
            warn: Box::new(|_| ()),
            context: Context::background(),
        }
    }

    #[test]
    fn members_are_those_of_the_type_at_run_time() {
        let lines = ["let c = container(`web`)", "let list = [image(`a`)]"];
        for (before, expected) in [
            ("c.sta", vec!["start()", "started", "stats(", "status"]),
            ("container(`x`).sta", vec!["start()", "started", "stats(", "status"]),
            ("print(c.exi", vec!["exists", "exit_code"]),
            ("image(`x`).run(`y`, #{ name: `z` }).oom", vec!["oom_killed"]),
            ("containers()[0].oom", vec!["oom_killed"]),
            ("c\n  .start().oom", vec!["oom_killed"]),
            ("_.unt", vec!["untag("]),
            ("c.status.to_up", vec!["to_upper("]),
            ("c.nothing_like_it", vec![]),
            ("unknown.sta", vec![]),
        ] {
            let lines = [&lines[..], &["image(`b`)"]].concat();
            assert_eq!(offered(&lines, before), expected, "{before}");
        }
    }

    #[test]
    fn names_are_variables_and_functions_old_and_new() {
        let lines = ["let container_count = 3", "fn contains_all(a) { a }"];
        assert_eq!(offered(&lines, "1 + conta"), ["container(", "container_count", "containers(", "contains_all("]);
        assert!(offered(&[], "\"conta").is_empty(), "in a string");
        for comment in ["// conta", "/* conta", "/* a\nconta"] {
            assert!(offered(&[], comment).is_empty(), "{comment}");
        }
        assert_eq!(offered(&[], "/* a */ // b\nslee"), ["sleep("]);
    }

    #[test]
    fn option_keys_are_those_of_the_function_that_are_not_there_yet() {
        let lines = ["let c = container(`web`)"];
        for (before, expected) in [
            ("c.logs(#{ ta", vec!["tail: "]),
            ("c.logs(#{ tail: 1, t", vec!["timestamps: "]),
            ("c.wait_for(#{ port: 80, ti", vec!["timeout: "]),
            ("image(`x`).run([`a`], #{ mem", vec!["memory: ", "memory_reservation: ", "memory_swap: "]),
            ("containers(#{ al", vec!["all: "]),
            ("c.logs(#{ tail: c.exit_c", vec!["exit_code"]),
        ] {
            assert_eq!(offered(&lines, before), expected, "{before}");
        }
    }
}
