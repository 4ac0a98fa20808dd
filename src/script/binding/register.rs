//! Registers the catalogue with Rhai: one loop, every number of arguments.

use super::{Arguments, Call, FunctionDoc, FunctionReference, Kind, caught, functions, thrown_from_error, types};
use crate::script::Session;
use crate::script::source::CAUGHT;
use rhai::plugin::RhaiFunc;
use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration, Module, NativeCallContext, Shared};
use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What types register themselves with.
pub struct Registrar<'a> {
    pub(super) engine: &'a mut Engine,
    pub(super) session: &'a Arc<Session>,
}

/// Makes every function and type of the catalogue known to `engine`.
pub fn register(engine: &mut Engine, session: &Arc<Session>) {
    for doc in types() {
        (doc.register)(&mut Registrar { engine, session });
    }
    let mut global = Module::new();
    let mut modules: BTreeMap<&'static str, Module> = BTreeMap::new();
    for function in functions() {
        match function.module {
            Some(name) => register_function(modules.entry(name).or_default(), function, session),
            None => register_function(&mut global, function, session),
        }
    }
    engine.register_fn(CAUGHT, caught);
    global.build_index();
    engine.register_global_module(global.into());
    for (name, mut module) in modules {
        module.build_index();
        engine.register_static_module(name, module.into());
    }
}

/// Has the name of a function mean the function where there is no variable of that name, so that
/// `help(image)` works. Only where variables are not strict: otherwise the parser refuses it.
///
/// Not by variables of a global module: Rhai's optimizer puts those in place of parameters that have the same name.
#[allow(deprecated)] // Rhai marks `on_var` volatile that way; its version is pinned
pub fn register_function_names(engine: &mut Engine) {
    engine.on_var(|name, index, context| {
        if index > 0 || context.scope().contains(name) {
            return Ok(None);
        }
        let mut global =
            functions().iter().filter(|function| function.kind == Kind::Function && function.module.is_none());
        Ok(global.find(|function| function.name == name).map(|function| Dynamic::from(FunctionReference::to(function))))
    });
}

fn register_function(module: &mut Module, function: &'static FunctionDoc, session: &Arc<Session>) {
    let required = function.parameters.iter().filter(|parameter| !parameter.optional).count();
    for count in required..=function.parameters.len() {
        let receiver = function.receiver.as_ref().map(|receiver| (receiver.type_id)());
        let types: Vec<TypeId> =
            receiver.into_iter().chain(std::iter::repeat_n(TypeId::of::<Dynamic>(), count)).collect();
        let registration = match function.kind {
            Kind::Property { .. } => FuncRegistration::new_getter(function.name),
            Kind::Method | Kind::Function => FuncRegistration::new(function.name),
        };
        let registration = if function.module.is_none() {
            registration.in_global_namespace()
        } else {
            registration.in_internal_namespace()
        };
        if function.module.is_none() && count > 0 && receiver.is_none() && SHADOWED.contains(&function.name) {
            for first in builtin_types() {
                let mut types = types.clone();
                types[0] = first;
                let function = rhai_function(function, session.clone());
                registration.clone().set_into_module_raw(module, types, function);
            }
        }
        if matches!(function.kind, Kind::Property { callable: true, .. }) {
            let method = FuncRegistration::new(function.name).in_global_namespace();
            method.set_into_module_raw(module, types.clone(), rhai_function(function, session.clone()));
        }
        registration.set_into_module_raw(module, types, rhai_function(function, session.clone()));
    }
}

/// Functions that Rhai's library has for single types, which would win over ours for any type.
const SHADOWED: [&str; 5] = ["print", "sleep", "log", "to_json", "exit"];

fn builtin_types() -> [TypeId; 10] {
    [
        TypeId::of::<()>(),
        TypeId::of::<bool>(),
        TypeId::of::<i64>(),
        TypeId::of::<f64>(),
        TypeId::of::<char>(),
        TypeId::of::<rhai::ImmutableString>(),
        TypeId::of::<rhai::Array>(),
        TypeId::of::<rhai::Map>(),
        TypeId::of::<rhai::Blob>(),
        TypeId::of::<rhai::FnPtr>(),
    ]
}

fn rhai_function(function: &'static FunctionDoc, session: Arc<Session>) -> RhaiFunc {
    let has_receiver = function.receiver.is_some();
    let body = move |native: Option<NativeCallContext<'_>>,
                     args: &mut [&mut Dynamic]|
          -> Result<Dynamic, Box<EvalAltResult>> {
        let native = native.expect("it is registered as taking a context");
        let (this, rest) = match args.split_first_mut() {
            Some((this, rest)) if has_receiver => (Some(&mut **this), rest),
            _ => (None, args),
        };
        let values = rest.iter_mut().map(|value| std::mem::take(*value).flatten()).collect();
        let call = Call::new(&native, &session, this.as_deref().cloned());
        let mut nothing = Dynamic::UNIT;
        let this = this.unwrap_or(&mut nothing);
        (function.body)(&call, this, Arguments::new(function, values)).map_err(|error| {
            let mut thrown = thrown_from_error(error);
            // Rhai adds the position of the call itself, but not to what functions of static modules throw.
            if function.module.is_some() && thrown.position().is_none() {
                thrown.set_position(native.call_position());
            }
            thrown
        })
    };
    // Pure, or they could not be called on a constant; volatile, or the optimizer might call them.
    if has_receiver {
        RhaiFunc::Method { func: Shared::new(body), has_context: true, is_pure: true, is_volatile: true }
    } else {
        RhaiFunc::Pure { func: Shared::new(body), has_context: true, is_pure: true, is_volatile: true }
    }
}
