//! What the prompt keeps from line to line: variables, constants, functions, imports, the last value.

use crate::script::{Host, Report};
use rhai::{AST, Dynamic, Engine, Scope, Stmt, Token};

/// The name under which errors are drawn: all lines together are one text.
pub const SOURCE: &str = "<prompt>";
/// The variable that `_` means. Rhai reads `_` only as the default of a `switch`, so it is replaced by a letter that
/// looks like it (U+02CD) and is one character too: columns stay as they are.
const LAST: &str = "ˍ";
/// Rhai counts lines in 16 bits.
const MOST_LINES: usize = 60_000;

/// How a line ended.
pub enum Evaluated {
    /// Its value.
    Value(Dynamic),
    /// It does not parse, or threw.
    Failed(Report),
    /// Ctrl-C.
    Interrupted,
    /// It called `exit`.
    Exit(u8),
}

/// What earlier lines left behind.
pub struct Memory {
    host: Host,
    scope: Scope<'static>,
    /// Functions, and closures, which are functions without a name of their own.
    functions: AST,
    /// Run before each line: Rhai forgets imports at the end of a run.
    imports: Vec<Stmt>,
    transcript: String,
}

impl Memory {
    /// An empty one.
    pub fn new(host: &Host) -> Self {
        let mut scope = Scope::new();
        let args: rhai::Array = host.session().args().iter().map(|arg| arg.clone().into()).collect();
        scope.push_constant("args", args);
        Self { host: host.clone(), scope, functions: AST::empty(), imports: Vec::new(), transcript: String::new() }
    }

    /// Runs a line, in which everything that earlier ones made is known.
    pub fn evaluate(&mut self, line: &str) -> Evaluated {
        let text = name_last(self.host.engine(), line);
        let ast = match self.compile(&text) {
            Ok(ast) => ast,
            Err(report) => return Evaluated::Failed(report),
        };
        let mut program = AST::new(self.imports.iter().cloned(), rhai::Module::new());
        program = program.merge(&self.functions).merge(&self.constants()).merge(&ast);
        program.set_source(SOURCE);
        // Before the run: a closure that it leaves in a variable is a function of this line, also when it fails.
        self.functions = self.functions.merge(&ast.clone_functions_only());

        let session = self.host.session().clone();
        session.renew();
        let result = self.host.run(&program, &mut self.scope);
        self.forget_what_is_hidden();
        if let Some(code) = session.exit_code() {
            return Evaluated::Exit(code);
        }
        match result {
            Ok(value) => {
                self.imports.extend(ast.statements().iter().filter(|it| matches!(it, Stmt::Import(..))).cloned());
                if !value.is_unit() {
                    self.scope.set_or_push(LAST, value.clone().flatten());
                }
                Evaluated::Value(value)
            }
            Err(_) if session.root_context().cancel.reason().is_some() => Evaluated::Interrupted,
            Err(thrown) => Evaluated::Failed(self.host.report(&thrown, SOURCE)),
        }
    }

    /// Names and values of the variables and constants.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &Dynamic)> {
        let shown = |name| if name == LAST { "_" } else { name };
        self.scope.iter_raw().map(move |(name, _, value)| (shown(name), value))
    }

    /// Names of the functions.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.functions.iter_functions().map(|function| function.name).filter(|name| !name.contains('$'))
    }

    /// Parses a line at its place below all earlier ones, so that errors in functions made there are drawn, too.
    fn compile(&mut self, text: &str) -> Result<AST, Report> {
        if self.transcript.lines().count() > MOST_LINES {
            self.transcript.clear();
        }
        let padded = "\n".repeat(self.transcript.lines().count()) + text;
        let compiled = self.host.compile(&padded, SOURCE, &self.scope);
        let compiled = compiled.map_err(|error| self.host.report_parse_error(&error, SOURCE));
        self.transcript.push_str(text);
        self.transcript.push('\n');
        self.host.sources().add(self.host.engine(), SOURCE, &self.transcript);
        compiled
    }

    /// Declares the constants again: Rhai gives functions only those of the same run, as `global::NAME`.
    fn constants(&self) -> AST {
        let names = self.scope.iter_raw().filter(|(_, constant, _)| *constant).map(|(name, ..)| name);
        let statements: Vec<String> = names.map(|name| format!("const {name} = {name};")).collect();
        // Without the scope: the optimizer would put the values in place of the names.
        self.host.engine().compile(statements.join("\n")).unwrap_or_else(|_| AST::empty())
    }

    /// Keeps the last variable of each name; those before it can never be reached again.
    fn forget_what_is_hidden(&mut self) {
        let mut kept: Vec<(String, bool, Dynamic)> = Vec::new();
        for (name, constant, value) in self.scope.iter_raw() {
            kept.retain(|(other, ..)| other != name);
            kept.push((name.to_owned(), constant, value.clone()));
        }
        self.scope = Scope::new();
        for (name, constant, value) in kept {
            if constant {
                self.scope.push_constant_dynamic(name, value);
            } else {
                self.scope.push_dynamic(name, value);
            }
        }
    }
}

/// The line with [`LAST`] for each `_` that is a value.
fn name_last(engine: &Engine, line: &str) -> String {
    if !line.contains('_') {
        return line.to_owned();
    }
    let lexemes = crate::script::lex(engine, line);
    let mut rows: Vec<Vec<char>> = line.split('\n').map(|row| row.chars().collect()).collect();
    for (index, lexeme) in lexemes.iter().enumerate() {
        let is_default = matches!(lexemes.get(index + 1), Some(next) if next.token == Token::DoubleArrow);
        if lexeme.token == Token::Underscore
            && !is_default
            && let (Some(row), Some(column)) = (lexeme.position.line(), lexeme.position.position())
        {
            rows[row - 1].splice(column - 1..column, LAST.chars());
        }
    }
    rows.into_iter().map(String::from_iter).collect::<Vec<_>>().join("\n")
}
