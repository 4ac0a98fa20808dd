//! Where `import` finds modules: `std/…` in the binary, everything else beside the importing file.

use super::source::Sources;
use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

/// The modules that are part of Shanty.
const STD: [(&str, &str); 2] =
    [("std/backup", include_str!("../../stdlib/backup.rhai")), ("std/wait", include_str!("../../stdlib/wait.rhai"))];

thread_local! {
    /// What this thread is loading now, outermost first.
    static LOADING: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Our module resolver. Rhai's own resolves nested relative imports against the working directory.
pub struct Resolver {
    folder: PathBuf,
    sources: Sources,
    loaded: RwLock<HashMap<String, Shared<Module>>>,
}

impl Resolver {
    /// `folder`: where imports of texts without a file (`eval`, standard input) start.
    pub fn new(folder: &Path, sources: &Sources) -> Self {
        Self { folder: folder.to_owned(), sources: sources.clone(), loaded: RwLock::default() }
    }

    /// The name and text of a module, if there is one.
    fn locate(&self, importer: Option<&str>, path: &str) -> Option<(String, String)> {
        if let Some((name, text)) = STD.iter().find(|(name, _)| *name == path) {
            return Some(((*name).to_owned(), (*text).to_owned()));
        }
        let importer = importer.map(Path::new).filter(|importer| importer.is_absolute());
        let folder = importer.and_then(Path::parent).unwrap_or(&self.folder);
        let mut file = folder.join(path).into_os_string();
        if Path::new(path).extension() != Some("rhai".as_ref()) {
            file.push(".rhai");
        }
        let file = Path::new(&file).canonicalize().ok()?;
        let text = std::fs::read_to_string(&file).ok()?;
        Some((file.to_string_lossy().into_owned(), text))
    }

    fn load(&self, engine: &Engine, name: &str, text: &str) -> Result<Module, Box<EvalAltResult>> {
        let compiled = self.sources.add(engine, name, text);
        let mut ast = engine.compile(compiled).map_err(Box::<EvalAltResult>::from)?;
        ast.set_source(name);
        let mut module = Module::eval_ast_as_new(Scope::new(), &ast, engine)?;
        module.set_id(name);
        module.build_index();
        Ok(module)
    }
}

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        importer: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let Some((name, text)) = self.locate(importer, path) else {
            return Err(EvalAltResult::ErrorModuleNotFound(path.to_owned(), position).into());
        };
        if let Some(module) = self.loaded.read().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return Ok(module.clone());
        }
        let cycle = LOADING.with_borrow(|loading| {
            loading.contains(&name).then(|| format!("modules import each other: {} -> {name}", loading.join(" -> ")))
        });
        if let Some(cycle) = cycle {
            return Err(EvalAltResult::ErrorRuntime(cycle.into(), position).into());
        }
        LOADING.with_borrow_mut(|loading| loading.push(name.clone()));
        let module = self.load(engine, &name, &text);
        LOADING.with_borrow_mut(Vec::pop);
        match module {
            Ok(module) => {
                let module: Shared<Module> = module.into();
                self.loaded.write().unwrap_or_else(PoisonError::into_inner).insert(name, module.clone());
                Ok(module)
            }
            Err(error) if super::binding::ends_script(&error) => Err(error),
            Err(error) => Err(EvalAltResult::ErrorInModule(name, error, position).into()),
        }
    }
}
